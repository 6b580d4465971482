"""What an audit of a folder comes back with: frozen parts that a page draws, a file holds and a program reads."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from .swap_result import Rate, SwapTest

if TYPE_CHECKING:
    from .store import AuditStore

VerdictKey = Literal["supported", "not_supported", "too_few"]
By = Literal["label", "predicted", "tag"]
STAGES: Final[dict[str, str]] = {
    "pass": "Reading the pictures",
    "boxes": "Measuring the evidence in the boxes",
    "clusters": "Grouping the maps",
    "tags": "Grouping the backgrounds",
    "swap": "Swapping backgrounds",
}
"""The parts of an audit in their order, as headings for a progress bar."""


@dataclass(frozen=True)
class AuditProgress:
    """How far an audit is: `stage` is a key of STAGES; done and total count pictures (composites in "swap").

    seconds: since this stage began. seconds_left: estimated from this run's own pace, None before there is one.
    """

    stage: str
    done: int
    total: int
    seconds: float
    seconds_left: float | None

    @property
    def title(self) -> str:
        return STAGES[self.stage]


OnProgress = Callable[[AuditProgress], None]


@dataclass(frozen=True)
class AuditSettings:
    """All that decides an audit's numbers.

    target: the class that every map explains, or None for each picture's own top class. cells: (h, w) of a map.
    donors: backgrounds of each kind that a boxed picture is put on. resamples, level: of the bootstrap.
    by: what makes two backgrounds "of one class": the pictures' "label", "predicted" class, or background "tag".
    """

    model_key: str
    model_title: str
    weights_note: str
    method: str
    method_title: str
    layer: str | None
    layer_title: str
    target: str | None
    cells: tuple[int, int]
    input_size: tuple[int, int]
    batch_size: int
    seed: int
    donors: int
    resamples: int
    level: float
    by: By


@dataclass(frozen=True)
class Versions:
    """Of the programs that made the numbers."""

    convlens: str
    python: str
    torch: str
    torchvision: str
    numpy: str
    scikit_learn: str
    machine: str


@dataclass(frozen=True)
class BadFile:
    """A file that could not be read as a picture, and was skipped: why, in a sentence."""

    name: str
    reason: str


@dataclass(frozen=True)
class BoxEvidence:
    """A map's evidence against a picture's box or mask.

    inside, outside: sums of the map in its own units; share: inside / (inside + outside), None where the map holds no
    positive evidence; area: the region's share of what the network saw; enrichment: share / area (1: no more in the
    box than chance would put there). margin_inside + margin_outside + margin_bias = margin, the logit of the predicted
    class minus the second one's, where the head is pooling + linear; else all four are None. Receptive fields cross the
    box's edge: "inside" means that the cell's centre region lies inside, not that it read nothing outside.
    """

    inside: float
    outside: float
    share: float | None
    area: float
    enrichment: float | None
    margin: float | None = None
    margin_inside: float | None = None
    margin_outside: float | None = None
    margin_bias: float | None = None


@dataclass(frozen=True)
class PictureRow:
    """One picture of the folder.

    index: its place among all files, in the order of their names (bad files leave gaps). name: path below the folder,
    with "/". label: its subfolder, or None; label_index: the network's class of that label, or None where it has none.
    predicted, second: classes by logit, with names, logits and probabilities (0 to 1). right: None without a class.
    scatter: the smallest share of the map's cells that holds half of its evidence (near 0: one spot; 0.5: everywhere;
    None: the map holds no positive evidence). tag: of the background. cluster: of its map. evidence: where it is boxed.
    size: (height, width) of the picture as it lies in the folder, upright. digest: SHA-256 of its pixels.
    """

    index: int
    name: str
    label: str | None
    label_index: int | None
    predicted: int
    predicted_name: str
    logit: float
    probability: float
    second: int
    second_name: str
    second_logit: float
    second_probability: float
    right: bool | None
    scatter: float | None
    size: tuple[int, int]
    digest: str
    tag: str | None = None
    cluster: int | None = None
    evidence: BoxEvidence | None = None
    notes: tuple[str, ...] = ()

    @property
    def is_boxed(self) -> bool:
        return self.evidence is not None


@dataclass(frozen=True)
class Accuracy:
    """Of the pictures whose label is a class of the network.

    labels: the folder's labels in order. classes: the network's class of each. right: over all; per_label: each
    label's. confusion: rows are labels, columns the predicted classes of `columns` (every class, then "others").
    """

    labels: tuple[str, ...]
    classes: tuple[str, ...]
    right: Rate
    per_label: tuple[Rate, ...]
    columns: tuple[str, ...]
    confusion: tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Group:
    """Pictures of one label on one background. examples: up to 6 indices of rows, wrong ones first."""

    label: str
    tag: str
    right: Rate
    mean_probability: float
    examples: tuple[int, ...]


@dataclass(frozen=True)
class GroupTable:
    """The groups of labels and background tags, and the worst one (of at least `least` pictures; None: none has them).

    origin: where the tags came from, "given" or "proposed" (by clustering the outside). association: Cramér's V of
    labels and tags, 0 (grounds tell nothing of the label) to 1 (each label has its own), None where there is only one.
    """

    origin: Literal["given", "proposed"]
    tags: tuple[str, ...]
    groups: tuple[Group, ...]
    worst: Group | None
    least: int
    association: float | None


@dataclass(frozen=True, eq=False)
class Cluster:
    """Pictures whose maps are alike.

    number: from 0, the largest first. indices: of all members, the most typical first. mean_picture: uint8 (s, s, 3) of
    what the network saw; mean_map: float32 (h, w), the mean of the members' maps, each divided by its own sum.
    right: of the labelled members. labels: (label or predicted class, count), the most frequent first.
    """

    number: int
    indices: tuple[int, ...]
    mean_picture: NDArray[np.uint8]
    mean_map: NDArray[np.float32]
    right: Rate
    labels: tuple[tuple[str, int], ...]

    @property
    def n(self) -> int:
        return len(self.indices)


@dataclass(frozen=True)
class Verdict:
    """What the interventions say, and nothing else does.

    title: a few words; sentence: what was found, with its numbers; next_step: what to do about it, or to learn more.
    """

    key: VerdictKey
    title: str
    sentence: str
    next_step: str
    n: int


@dataclass(frozen=True)
class BoxSummary:
    """The evidence over all boxed pictures: means, which a map proposes and no verdict rests on."""

    n: int
    mean_share: float | None
    mean_area: float
    mean_enrichment: float | None
    mean_margin_inside: float | None
    mean_margin_outside: float | None


@dataclass(frozen=True)
class RunFacts:
    """How this run went; nothing here changes a number of the report.

    engine: "local" or "ray". n_computed: pictures that went through the network now; n_kept: found in the store.
    seconds: of the whole; pass_seconds: of the pass alone.
    """

    engine: str
    n_computed: int
    n_kept: int
    seconds: float
    pass_seconds: float


@dataclass(frozen=True, eq=False)
class AuditReport:
    """All that an audit found. Pictures and maps stay on disk in the store; they are read one by one.

    folder: the name of the folder (not its path). rows: the pictures in order. swap: None where nothing is boxed.
    limits: what these numbers cannot tell, each a sentence.
    """

    folder: str
    settings: AuditSettings
    versions: Versions
    rows: tuple[PictureRow, ...]
    bad_files: tuple[BadFile, ...]
    accuracy: Accuracy | None
    groups: GroupTable | None
    clusters: tuple[Cluster, ...]
    boxes: BoxSummary | None
    swap: SwapTest | None
    verdict: Verdict
    limits: tuple[str, ...]
    run: RunFacts
    store: AuditStore

    def row(self, index: int) -> PictureRow:
        """The row of a picture by its index. Raises KeyError where that file could not be read."""
        return {row.index: row for row in self.rows}[index]

    def thumbnail(self, index: int) -> bytes:
        """What the network saw of a picture, small (at most 128 pixels a side), as a JPEG file's bytes."""
        return self.store.thumbnail(index)

    def map(self, index: int) -> NDArray[np.float32]:
        """A picture's raw map, float32 (h, w) at the layer's resolution, non-negative, in the method's own units."""
        return self.store.map(index)

    def overlay(self, index: int, *, opacity: float = 0.6, limit: float | None = None) -> NDArray[np.uint8]:
        """The map over the thumbnail, uint8 (H, W, 3); limit: the value of full colour (None: its largest)."""
        return self.store.overlay(index, opacity=opacity, limit=limit)

    def to_html(self, path: str | Path | None = None) -> str:
        """The report as one HTML file that needs nothing else; also written to `path` if one is given."""
        from .report import html_of

        return _written(html_of(self), path)

    def to_csv(self, path: str | Path | None = None) -> str:
        """The rows as CSV, one line for each picture; also written to `path` if one is given."""
        from .report import csv_of

        return _written(csv_of(self), path)

    def to_dict(self) -> dict[str, Any]:
        """Everything but the pictures, as plain values fit for JSON."""
        from .report import dict_of

        return dict_of(self)


def _written(text: str, path: str | Path | None) -> str:
    if path is not None:
        Path(path).write_text(text, encoding="utf-8", newline="")
    return text
