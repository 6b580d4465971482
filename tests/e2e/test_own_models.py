"""Bringing a network: refused with a sentence, opened with its class names, seen by its visitor only."""

from __future__ import annotations

import io
import re

import numpy as np
import torch
from playwright.sync_api import expect

import cnn_core as cc
from cnn_core.samples import list_samples
from cnn_core.training.networks import fresh_network
from tests.e2e.conftest import PHONE, NewPage, assert_no_complaints, overflow, settled

NAMES = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
SAMPLES = {sample.key: sample for sample in list_samples()}


def test_a_network_is_brought_refused_opened_and_kept_private(new_page: NewPage) -> None:
    content = io.BytesIO()
    torch.save(
        {"state_dict": {f"model.{k}": v for k, v in fresh_network("small_cnn", 3).state_dict().items()}}, content
    )
    page = new_page("decision")
    bring = page.get_by_role("button", name="Bring your own network")
    bring.focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_be_visible()
    files = dialog.locator("input[type=file]")
    opener = dialog.get_by_role("button", name="Open it")
    expect(opener).to_be_disabled()
    files.first.set_input_files({
        "name": "cow.pt", "mimeType": "application/octet-stream", "buffer": SAMPLES["cow"].path.read_bytes()
    })  # fmt: skip
    expect(opener).to_be_enabled()
    opener.click()
    expect(dialog.get_by_test_id("stAlert")).to_contain_text("The file is a JPEG picture, not weights.")
    files.first.set_input_files({
        "name": "mine.ckpt", "mimeType": "application/octet-stream", "buffer": content.getvalue()
    })  # fmt: skip
    expect(dialog.get_by_text("mine.ckpt")).to_be_visible()
    files.nth(1).set_input_files({
        "name": "names.txt", "mimeType": "text/plain", "buffer": "\n".join(NAMES).encode()
    })  # fmt: skip
    expect(dialog.get_by_text("names.txt")).to_be_visible()
    settled(page)
    opener.click()
    expect(dialog).to_be_hidden(timeout=60_000)
    expect(page.get_by_role("radio", name="mine.ckpt")).to_have_attribute("aria-checked", "true")
    settled(page)

    # The page's numbers are the network's own.
    model = cc.load_checkpoint(content.getvalue(), architecture="small_cnn", class_names=NAMES, device="cpu")
    digit = next(sample for sample in list_samples() if sample.kind == "digit")
    probabilities = cc.trace(model, model.preprocess(digit.path)).probabilities
    best = int(np.argmax(probabilities))
    chip = f"{NAMES[best]} {probabilities[best]:.2f}".replace("0.", ".")
    expect(page.get_by_role("button", name=chip)).to_be_visible()
    digest = model.card.key.removeprefix("checkpoint_")
    expect(page).to_have_url(re.compile(f"model=own(:|%3A){digest}"))
    assert_no_complaints(page)

    # Somebody else who has the address does not see it.
    other = new_page(f"decision?model=own:{digest}", viewport=PHONE, color_scheme="dark")
    other.get_by_test_id("stExpandSidebarButton").click()
    expect(other.get_by_text("somebody brought in another session")).to_be_visible()
    expect(other.get_by_text("mine.ckpt")).to_have_count(0)
    other.get_by_role("button", name="Bring your own network").click()
    expect(other.get_by_role("dialog")).to_be_visible()
    assert overflow(other) <= 0
    other.keyboard.press("Escape")
    expect(other.get_by_role("dialog")).to_be_hidden()
    assert_no_complaints(other)
