// Mode 2: what pointers and keys do. Handlers are assigned, not added: this runs again with each new payload.

function wireUnitRoom(room) {
  const { find, answer } = room;
  answer.setAttribute(
    "aria-label",
    `Output map of channel ${room.meta.channel}. Arrow keys move to another cell, Enter opens it, Escape goes back to the open one.`
  );
  answer.onpointermove = (event) => room.answerPlace && room.look(...cellAt(answer, room.answerPlace, event));
  answer.onpointerleave = () => room.look(room.meta.row, room.meta.column);
  answer.onclick = (event) => room.open(...cellAt(answer, room.answerPlace, event));
  answer.onkeydown = (event) => {
    const move = MOVES[event.key];
    const at = room.pointer || room.cell;
    if (move) room.look(at[0] + move[0], at[1] + move[1]);
    else if (event.key === "Enter" || event.key === " ") room.open(...at);
    else if (event.key === "Escape") room.look(room.meta.row, room.meta.column);
    else return;
    event.preventDefault();
  };
  find(".previous").onclick = () => room.openChannel(Number(find(".channel").value) - 1);
  find(".next").onclick = () => room.openChannel(Number(find(".channel").value) + 1);
  find(".channel").onchange = (event) => {
    const channel = Math.round(Number(event.target.value));
    if (channel >= 0 && channel < room.meta.channels) room.openChannel(channel);
    else event.target.value = room.meta.channel;
  };
  find(".rows").onclick = (event) => {
    const row = event.target.closest(".row");
    if (row) room.choose(Number(row.dataset.index));
  };
  find(".rows").onkeydown = (event) => {
    const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!by) return;
    event.preventDefault();
    const listed = room.expanded ? room.ranked : room.ranked.slice(0, SHOWN);
    const at = listed.findIndex((term) => term.index === room.selected);
    const next = listed[Math.max(0, Math.min(listed.length - 1, at + by))];
    if (next.index !== room.selected) room.choose(next.index, !event.repeat);
    find('.rows [tabindex="0"]').focus();
  };
  find(".cards").onclick = (event) => {
    const card = event.target.closest(".card");
    if (card) room.choose(Number(card.dataset.index));
  };
  find(".all").onclick = () => {
    room.expanded = !room.expanded;
    room.draw();
  };
}
