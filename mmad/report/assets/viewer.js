"use strict";
// One video: the player, a timeline of what was found in it, and a table of the same. Needs no network.
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const element = (id) => document.getElementById(id);
  const [lanes, overview, playhead, strips] = ["lanes", "overview", "playhead", "unseen"].map(element);
  const LANE = 22, AXIS = 24, STRIP = 13, ROWS = 200, LONGEST_NAME = 190;
  const box = lanes.parentElement; // in which many lanes scroll
  const detections = data.detections.map(([start, end, action, score], index) =>
    ({ index, start, end, action, part: data.parts_of[action], score, status: "" }));
  const truth = data.truth?.map(([start, end, action]) =>
    ({ start, end, action, part: data.parts_of[action], status: "" })) ?? null;
  const highest = Math.max(1e-9, ...detections.map((item) => item.score));
  const state = { minScore: data.min_score, parts: new Set(data.parts.keys()), search: "", tiou: 0.5, order: "start",
    ascending: true, rowLimit: ROWS, from: 0, to: data.duration, chosen: null, looping: true, clock: 0,
    showUnreliable: false };
  let shown = [], laneOf = new Map(), actions = [];
  let player = element("player"), joints = null;
  const gradeOf = (action) => data.reliability[data.actions[action]] ?? null; // [grade, reason]
  const allowed = (item) => state.showUnreliable || gradeOf(item.action)?.[0] !== "cannot tell";

  // --- what is shown ------------------------------------------------------------------------------------------

  function overlap(a, b) {
    const shared = Math.max(0, Math.min(a.end, b.end) - Math.max(a.start, b.start));
    return shared / (a.end - a.start + b.end - b.start - shared + 1e-4); // as the official metric has it
  }

  // True, false and missed at the chosen tIoU: best first, each action is found once, as in the metric.
  function matchTruth() {
    if (!truth) return;
    for (const item of truth) item.status = "missed";
    for (const item of detections) {
      item.status = "";
      if (item.score < state.minScore || !allowed(item)) continue;
      let best = null, most = state.tiou;
      for (const other of truth) {
        if (other.action !== item.action || other.status === "found") continue;
        const shared = overlap(item, other);
        if (shared >= most) [best, most] = [other, shared];
      }
      item.status = best ? "true" : "false";
      if (best) best.status = "found";
    }
  }

  function refresh() {
    matchTruth();
    const wanted = (item) => state.parts.has(item.part) &&
      data.actions[item.action].toLowerCase().includes(state.search);
    shown = detections.filter((item) => item.score >= state.minScore && allowed(item) && wanted(item));
    if (state.chosen && !shown.includes(state.chosen)) deselect();
    const present = new Set(shown.map((item) => item.action));
    for (const item of truth ?? []) if (wanted(item)) present.add(item.action);
    actions = [...present].sort((a, b) => data.parts_of[a] - data.parts_of[b] || a - b);
    laneOf = new Map(actions.map((action, lane) => [action, lane]));
    const value = { start: (i) => i.start, end: (i) => i.end, length: (i) => i.end - i.start, score: (i) => i.score,
      action: (i) => data.actions[i.action], part: (i) => data.parts[i.part], status: (i) => i.status }[state.order];
    shown.sort((a, b) => {
      const [x, y] = [value(a), value(b)];
      const difference = typeof x === "string" ? x.localeCompare(y) : x - y;
      return (state.ascending ? difference : -difference) || a.start - b.start;
    });
    element("count").textContent = `${shown.length} of ${detections.length} detections`;
    element("min-score-value").textContent = state.minScore.toFixed(3);
    if (truth) {
      const found = truth.filter((item) => item.status === "found").length;
      const falseAlarms = detections.filter((item) => item.status === "false").length;
      element("evaluation").textContent =
        `${found} of ${truth.length} actions found, ${falseAlarms} false alarms at tIoU ${state.tiou.toFixed(1)}`;
    }
    fillTable();
    draw();
  }

  // --- the timeline -------------------------------------------------------------------------------------------

  const clock = (exactly, digits = 2) => {
    const seconds = Number(exactly.toFixed(digits));
    const whole = Math.floor(seconds / 60);
    const rest = (seconds - 60 * whole).toFixed(digits).padStart(digits ? digits + 3 : 2, "0");
    if (whole < 60) return `${whole}:${rest}`;
    return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}:${rest}`;
  };
  const gutter = () => Math.min(LONGEST_NAME, lanes.clientWidth * 0.34);
  const xOf = (seconds) =>
    gutter() + ((seconds - state.from) / (state.to - state.from)) * (lanes.clientWidth - gutter());
  const secondsAt = (x) =>
    state.from + ((x - gutter()) / (lanes.clientWidth - gutter())) * (state.to - state.from);

  function prepared(canvas, height) {
    const ratio = window.devicePixelRatio || 1, width = canvas.clientWidth;
    canvas.style.height = `${height}px`;
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    const pen = canvas.getContext("2d");
    pen.scale(ratio, ratio);
    pen.font = "12px system-ui, sans-serif";
    pen.textBaseline = "middle";
    return [pen, width, getComputedStyle(document.documentElement)];
  }

  function draw() {
    const height = AXIS + LANE * Math.max(actions.length, 1);
    const [pen, width, style] = prepared(lanes, height);
    const colour = (name) => style.getPropertyValue(name);
    drawNames(pen, width, colour);
    pen.save();
    pen.beginPath();
    pen.rect(gutter(), 0, width - gutter(), height);
    pen.clip();
    drawItems(pen, colour);
    pen.restore();
    drawAxis(pen, width, height, colour);
    drawUnseen();
    drawOverview();
    movePlayhead();
  }

  // The axis stays visible when the lanes scroll.
  function drawAxis(pen, width, height, colour) {
    const steps = [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600];
    const step = steps.find((s) => (s / (state.to - state.from)) * (width - gutter()) > 70) ?? 7200;
    const up = box.scrollTop;
    pen.fillStyle = colour("--ground");
    pen.fillRect(0, up, width, AXIS);
    for (let at = Math.ceil(state.from / step) * step; at <= state.to + 1e-9; at += step) {
      const x = xOf(at);
      pen.globalCompositeOperation = "destination-over"; // the line behind the bars
      pen.fillStyle = colour("--line");
      pen.fillRect(x, up + AXIS - 4, 1, height - AXIS + 4);
      pen.globalCompositeOperation = "source-over";
      pen.fillStyle = colour("--muted");
      pen.textAlign = x > width - 30 ? "right" : "center";
      pen.fillText(clock(at, step < 1 ? 1 : 0), x, up + AXIS / 2);
    }
  }

  function drawNames(pen, width, colour) {
    pen.textAlign = "left";
    let part = -1;
    for (const [lane, action] of actions.entries()) {
      const y = AXIS + lane * LANE, grade = gradeOf(action);
      if (data.parts_of[action] !== part) {
        part = data.parts_of[action];
        pen.fillStyle = colour("--line");
        pen.fillRect(0, y, width, 1);
      }
      pen.fillStyle = data.colours[part];
      pen.fillRect(6, y + 6, 8, LANE - 12);
      pen.fillStyle = colour("--text");
      pen.fillText(data.actions[action], 20, y + LANE / 2, gutter() - (grade ? 44 : 26));
      if (grade) drawGrade(pen, grade[0], gutter() - 14, y + LANE / 2);
    }
  }

  // A full, a half and an empty disc.
  function drawGrade(pen, grade, x, y) {
    pen.strokeStyle = pen.fillStyle;
    pen.lineWidth = 1.2;
    pen.beginPath();
    pen.arc(x, y, 4.4, 0, 2 * Math.PI);
    pen.stroke();
    pen.beginPath();
    if (grade === "good") pen.arc(x, y, 4.4, 0, 2 * Math.PI);
    if (grade === "fair") pen.arc(x, y, 4.4, Math.PI / 2, 1.5 * Math.PI);
    pen.fill();
  }

  function drawItems(pen, colour) {
    const tall = truth ? (LANE - 6) / 2 : LANE - 6;
    for (const item of [...shown].sort((a, b) => a.score - b.score)) { // the best on top
      if (item.end < state.from || item.start > state.to) continue;
      const x = xOf(item.start), wide = Math.max(xOf(item.end) - x, 2), y = AXIS + laneOf.get(item.action) * LANE + 3;
      pen.globalAlpha = 0.15 + 0.85 * (item.score / highest);
      pen.fillStyle = data.colours[item.part];
      pen.fillRect(x, y, wide, tall);
      pen.globalAlpha = 1;
      if (item.status === "false") outline(pen, x, y, wide, tall, colour("--bad"), []);
      if (item === state.chosen) outline(pen, x - 1, y - 1, wide + 2, tall + 2, colour("--text"), []);
    }
    for (const item of truth ?? []) {
      if (!laneOf.has(item.action) || item.end < state.from || item.start > state.to) continue;
      const x = xOf(item.start), wide = Math.max(xOf(item.end) - x, 2);
      const y = AXIS + laneOf.get(item.action) * LANE + 3 + tall;
      pen.fillStyle = colour("--truth");
      if (item.status === "found") pen.fillRect(x, y, wide, tall - 1);
      else outline(pen, x, y, wide, tall - 1, colour("--bad"), [4, 3]); // missed
    }
  }

  // When the person and the hands were not seen, on the time axis of the lanes.
  function drawUnseen() {
    if (!strips) return;
    const [pen, , style] = prepared(strips, STRIP * data.unseen.length + 4);
    pen.font = "11px system-ui, sans-serif";
    const right = lanes.clientWidth;
    for (const [row, [name, stretches]] of data.unseen.entries()) {
      const y = 2 + STRIP * row;
      pen.fillStyle = style.getPropertyValue("--muted");
      pen.fillText(name, 20, y + STRIP / 2, gutter() - 26);
      pen.fillStyle = style.getPropertyValue("--line");
      pen.fillRect(gutter(), y + STRIP / 2, right - gutter(), 1);
      pen.fillStyle = style.getPropertyValue("--unseen");
      for (const [start, end] of stretches) {
        if (end < state.from || start > state.to) continue;
        const x = Math.max(xOf(start), gutter());
        pen.fillRect(x, y + 2, Math.min(xOf(end), right) - x, STRIP - 4);
      }
    }
  }

  function outline(pen, x, y, wide, tall, colour, dashes) {
    pen.strokeStyle = colour;
    pen.lineWidth = 1.5;
    pen.setLineDash(dashes);
    pen.strokeRect(x + 0.75, y + 0.75, Math.max(wide - 1.5, 0.5), tall - 1.5);
    pen.setLineDash([]);
  }

  function drawOverview() {
    const [pen, width, style] = prepared(overview, 26);
    const x = (seconds) => (seconds / data.duration) * width;
    for (const item of shown) {
      pen.globalAlpha = 0.2 + 0.6 * (item.score / highest);
      pen.fillStyle = data.colours[item.part];
      const tall = 22 / data.parts.length;
      pen.fillRect(x(item.start), 2 + tall * item.part, Math.max(x(item.end - item.start), 1), tall);
    }
    pen.globalAlpha = 1;
    pen.strokeStyle = style.getPropertyValue("--accent");
    pen.lineWidth = 2;
    pen.strokeRect(x(state.from) + 1, 1, Math.max(x(state.to - state.from) - 2, 2), 24);
  }

  function show(from, to) {
    const span = Math.min(Math.max(to - from, 0.5), data.duration);
    state.from = Math.min(Math.max(from, 0), data.duration - span);
    state.to = state.from + span;
    draw();
  }

  function zoom(factor, around = (state.from + state.to) / 2) {
    show(around - (around - state.from) * factor, around + (state.to - around) * factor);
  }

  const actionAt = (y) => (y - box.scrollTop < AXIS ? undefined : actions[Math.floor((y - AXIS) / LANE)]);

  function itemAt(x, y) {
    const action = actionAt(y);
    const slack = 2 * (secondsAt(1) - secondsAt(0));
    const at = secondsAt(x);
    const hit = shown.filter((item) => item.action === action && item.start - slack <= at && at <= item.end + slack);
    return hit.sort((a, b) => b.score - a.score)[0] ?? null;
  }

  // --- the player ---------------------------------------------------------------------------------------------

  const playable = () => player !== null && player.readyState > 0;
  const byFrame = () => "requestVideoFrameCallback" in player; // it says which frame the picture shows
  // The player counts from the start of the file, detections from the first frame.
  const now = () => (playable() ? player.currentTime - data.shift : state.clock);
  const setPlayer = (seconds) => { player.currentTime = seconds + data.shift; };

  function seek(seconds) {
    state.clock = Math.min(Math.max(seconds, 0), data.duration);
    if (playable()) setPlayer(state.clock);
    movePlayhead();
  }

  function movePlayhead() {
    const x = xOf(now());
    playhead.style.transform = `translateX(${x}px)`;
    playhead.hidden = x < gutter() - 1 || x > lanes.clientWidth;
    playhead.dataset.seconds = now().toFixed(3);
    if (!player || !byFrame()) drawJoints(now());
    if (element("time")) element("time").textContent = `${clock(now(), 1)} / ${clock(data.duration, 1)}`;
  }

  function drawJoints(seconds) {
    if (!joints) return;
    state.pictured = seconds;
    joints.draw(seconds, player?.videoWidth ? player.videoWidth / player.videoHeight : joints.data.people[0].ratio);
  }

  // Draws the joints of exactly the frame that the player shows.
  function followFrames() {
    if (!player || !byFrame()) return;
    const video = player;
    video.requestVideoFrameCallback((_, frame) => {
      if (video !== player) return;
      drawJoints(frame.mediaTime - data.shift);
      followFrames();
    });
  }

  function loadJoints() {
    if (!data.joints) return;
    const script = document.createElement("script");
    script.src = data.joints;
    script.addEventListener("load", () => {
      joints = new Joints(element("joints"), window.mmadJoints);
      drawJoints(now());
    });
    script.addEventListener("error", () => { element("chosen").textContent = `${data.joints} is missing`; });
    document.head.append(script);
  }

  // A short action is looped with some time before and after it, or there would be nothing to see.
  function loopOf(item) {
    const moment = Math.max(0, (1 - (item.end - item.start)) / 2);
    return [Math.max(item.start - moment, 0), Math.min(item.end + moment, data.duration)];
  }

  function choose(item, play = true) {
    state.chosen = item;
    const [from, to] = loopOf(item);
    if (item.start < state.from || item.end > state.to) {
      const span = Math.max(state.to - state.from, 1.2 * (to - from));
      show((from + to - span) / 2, (from + to + span) / 2);
    }
    seek(state.looping ? from : item.start);
    if (play && playable()) player.play().catch(() => {});
    const [start, end] = [item.start.toFixed(2), item.end.toFixed(2)], status = item.status ? `, ${item.status}` : "";
    element("chosen").textContent =
      `${data.actions[item.action]}, ${start} to ${end} seconds, score ${item.score.toFixed(3)}${status}`;
    for (const row of element("rows").rows) row.setAttribute("aria-selected", row.dataset.index === String(item.index));
    scrollToLane(laneOf.get(item.action));
    draw();
  }

  function scrollToLane(lane) {
    const y = lane * LANE, room = box.clientHeight - AXIS - LANE;
    if (y < box.scrollTop) box.scrollTop = y;
    if (y > box.scrollTop + room) box.scrollTop = y - room;
  }

  function tick() {
    if (playable() && !player.paused) {
      if (state.chosen && state.looping) {
        const [from, to] = loopOf(state.chosen);
        if (now() >= to || now() < from - 0.5) setPlayer(from);
      }
      const span = state.to - state.from;
      if (now() > state.to || now() < state.from) show(now() - 0.1 * span, now() + 0.9 * span);
      movePlayhead();
    }
    requestAnimationFrame(tick);
  }

  function step(direction) {
    const inTime = [...shown].sort((a, b) => a.start - b.start || a.index - b.index);
    if (!inTime.length) return;
    const at = inTime.indexOf(state.chosen);
    const next = at >= 0 ? at + direction
      : direction > 0 ? inTime.findIndex((item) => item.start >= now())
      : inTime.findLastIndex((item) => item.start <= now());
    if (inTime[next]) choose(inTime[next]); // beyond the last there is none
  }

  function deselect() {
    state.chosen = null;
    element("chosen").textContent = "";
  }

  function release() {
    deselect();
    for (const row of element("rows").rows) row.setAttribute("aria-selected", "false");
    draw();
  }

  // --- the table ----------------------------------------------------------------------------------------------

  function fillTable() {
    const body = element("rows");
    body.replaceChildren(...shown.slice(0, state.rowLimit).map((item) => {
      const row = document.createElement("tr");
      row.tabIndex = 0;
      row.dataset.index = item.index;
      row.setAttribute("aria-selected", item === state.chosen);
      const cells = [clock(item.start), clock(item.end), (item.end - item.start).toFixed(2), data.actions[item.action],
        data.parts[item.part], item.score.toFixed(3), ...(truth ? [item.status] : [])];
      for (const [column, text] of cells.entries()) {
        const cell = row.insertCell();
        if (column === 4) {
          const mark = document.createElement("span");
          mark.className = "part";
          mark.style.setProperty("--colour", data.colours[item.part]);
          mark.textContent = text;
          cell.append(mark);
        } else cell.textContent = text;
        const grade = column === 3 ? gradeOf(item.action) : null;
        if (grade) cell.append(gradeMark(grade));
        if (column === 6) cell.className = `status-${item.status}`;
      }
      return row;
    }));
    const hidden = shown.length - state.rowLimit;
    element("more").hidden = hidden <= 0;
    element("more").textContent = `${Math.min(ROWS, hidden)} more of ${hidden}`;
    for (const head of document.querySelectorAll("#table th")) {
      const direction = state.ascending ? "ascending" : "descending";
      if (head.dataset.order === state.order) head.setAttribute("aria-sort", direction);
      else head.removeAttribute("aria-sort");
    }
  }

  function gradeMark([grade, reason]) {
    const mark = document.createElement("span");
    mark.className = `grade ${grade.replace(" ", "-")}`;
    mark.title = `${grade}: ${reason}`;
    mark.setAttribute("role", "img");
    mark.setAttribute("aria-label", mark.title);
    return mark;
  }

  const itemOf = (event) => {
    const row = event.target.closest("tr[data-index]");
    return row ? detections[Number(row.dataset.index)] : null;
  };

  // --- saving as a file ---------------------------------------------------------------------------------------

  function save(name, kind, text) {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], { type: kind }));
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  }

  function asCsv() {
    const quoted = (value) => (/[",\r\n]/.test(value) ? `"${String(value).replaceAll('"', '""')}"` : value);
    const head = ["video_id", "t_start", "t_end", "class", "score", "body_part", ...(truth ? ["status"] : [])];
    const rows = shown.map((item) => [data.id, item.start, item.end, data.actions[item.action], item.score,
      data.parts[item.part], ...(truth ? [item.status] : [])]);
    return [head, ...rows].map((row) => row.map(quoted).join(",")).join("\n") + "\n";
  }

  function asJson() {
    const results = shown.map((item) =>
      ({ segment: [item.start, item.end], label: data.actions[item.action], score: item.score }));
    return JSON.stringify({ version: "mmad-1", ground_truth: null, results: { [data.id]: results } }) + "\n";
  }

  // --- events -------------------------------------------------------------------------------------------------

  const file = data.id.split("/").pop();
  // Each input, and what it sets in the state; those that the page does not have are left out.
  const inputs = {
    "min-score": (input) => { state.minScore = Number(input.value); },
    search: (input) => { state.search = input.value.toLowerCase(); },
    "show-unreliable": (input) => { state.showUnreliable = input.checked; },
    tiou: (input) => { state.tiou = Number(input.value); },
  };
  for (const [id, set] of Object.entries(inputs)) {
    element(id)?.addEventListener("input", (event) => { set(event.target); refresh(); });
  }
  for (const button of document.querySelectorAll("button[data-part]")) {
    button.addEventListener("click", () => {
      const part = Number(button.dataset.part), on = !state.parts.has(part);
      state.parts[on ? "add" : "delete"](part);
      button.setAttribute("aria-pressed", on);
      refresh();
    });
  }
  for (const head of document.querySelectorAll("#table th")) {
    head.firstElementChild.addEventListener("click", () => {
      state.ascending = state.order === head.dataset.order ? !state.ascending : head.dataset.order !== "score";
      state.order = head.dataset.order;
      refresh();
    });
  }
  element("rows").addEventListener("click", (event) => { const item = itemOf(event); if (item) choose(item); });
  element("more").addEventListener("click", () => { state.rowLimit += ROWS; fillTable(); });
  element("csv").addEventListener("click", () => save(`${file}.csv`, "text/csv", asCsv()));
  element("json").addEventListener("click", () => save(`${file}.json`, "application/json", asJson()));
  const commands = {
    play: () => playable() && (player.paused ? player.play().catch(() => {}) : player.pause()),
    back: () => seek(now() - 1),
    forward: () => seek(now() + 1),
    frame_back: () => seek(now() - data.frame),
    frame_forward: () => seek(now() + data.frame),
    next: () => step(1),
    previous: () => step(-1),
    loop: () => {
      state.looping = !state.looping;
      element("loop").setAttribute("aria-pressed", state.looping);
    },
    joints: () => {
      if (!joints) return;
      joints.shown = !joints.shown;
      element("joints-shown").setAttribute("aria-pressed", joints.shown);
      drawJoints(state.pictured);
    },
    release,
    closer: () => zoom(0.5, now() >= state.from && now() <= state.to ? now() : undefined),
    farther: () => zoom(2),
    whole: () => show(0, data.duration),
    help: () => element("help").showModal(),
  };
  for (const button of document.querySelectorAll("button[data-do]")) {
    button.addEventListener("click", () => commands[button.dataset.do]());
  }
  const KEYS = { " ": "play", ArrowLeft: "back", ArrowRight: "forward", ",": "frame_back", ".": "frame_forward",
    n: "next", p: "previous", l: "loop", j: "joints", Escape: "release",
    "+": "closer", "=": "closer", "-": "farther", 0: "whole", "?": "help" };
  document.addEventListener("keydown", (event) => {
    const typing = event.target.matches("input[type=search], input[type=range], select");
    if (event.ctrlKey || event.metaKey || event.altKey || typing || element("help").open) return;
    if (event.key === "Enter" && itemOf(event)) choose(itemOf(event));
    else if (event.key === " " && event.target.matches("button, input")) return;
    else if (KEYS[event.key]) commands[KEYS[event.key]]();
    else return;
    event.preventDefault();
  });

  function titleAt(x, y) {
    const action = actionAt(y), grade = action === undefined ? null : gradeOf(action), item = itemAt(x, y);
    const about = grade ? `${data.actions[action]}: ${grade[0]}. ${grade[1]}` : "";
    if (x < gutter()) return about;
    return item ? `${data.actions[item.action]} ${item.start.toFixed(2)} - ${item.end.toFixed(2)} s, ` +
      `score ${item.score.toFixed(3)}${about && `\n${about}`}` : "";
  }

  let drag = null;
  lanes.addEventListener("pointercancel", () => { drag = null; }); // a swipe that scrolls the page
  lanes.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    drag = { x: event.offsetX, from: state.from, to: state.to, moved: false };
    lanes.setPointerCapture(event.pointerId);
  });
  lanes.addEventListener("pointermove", (event) => {
    if (!drag) {
      lanes.title = titleAt(event.offsetX, event.offsetY);
      return;
    }
    drag.moved ||= Math.abs(event.offsetX - drag.x) > 4;
    if (!drag.moved) return;
    const away = ((event.offsetX - drag.x) / (lanes.clientWidth - gutter())) * (drag.to - drag.from);
    show(drag.from - away, drag.to - away);
  });
  lanes.addEventListener("pointerup", (event) => {
    if (drag && !drag.moved && event.offsetX > gutter()) {
      const item = itemAt(event.offsetX, event.offsetY);
      if (item) choose(item);
      else { release(); seek(secondsAt(event.offsetX)); }
    }
    drag = null;
  });
  lanes.addEventListener("wheel", (event) => {
    const sideways = Math.abs(event.deltaX) > Math.abs(event.deltaY);
    if (!event.ctrlKey && !event.metaKey && !event.shiftKey && !sideways) return; // the page scrolls
    event.preventDefault();
    if (event.ctrlKey || event.metaKey) return zoom(2 ** (event.deltaY / 200), secondsAt(event.offsetX));
    const away = ((sideways ? event.deltaX : event.deltaY) / lanes.clientWidth) * (state.to - state.from);
    show(state.from + away, state.to + away);
  }, { passive: false });
  const lookAt = (event) => {
    if (!event.buttons && event.type === "pointermove") return;
    const middle = (event.offsetX / overview.clientWidth) * data.duration, half = (state.to - state.from) / 2;
    show(middle - half, middle + half);
  };
  overview.addEventListener("pointerdown", lookAt);
  overview.addEventListener("pointermove", lookAt);

  function listen() {
    for (const name of ["seeked", "timeupdate"]) player.addEventListener(name, movePlayhead);
    player.addEventListener("loadedmetadata", () => {
      const ratio = player.videoWidth / player.videoHeight;
      if (ratio > 0) document.querySelector(".screen").style.setProperty("--ratio", ratio);
      seek(state.clock); // where somebody clicked before the video was loaded
    });
    player.addEventListener("ended", () => {
      if (!state.chosen || !state.looping) return;
      setPlayer(loopOf(state.chosen)[0]);
      player.play().catch(() => {});
    });
    if (!(player instanceof Clock)) player.addEventListener("error", withoutVideo, true);
  }

  // The joints move by themselves where there is no video, or none that this browser plays.
  function withoutVideo() {
    if (player) {
      element("unplayable").hidden = false;
      player.hidden = true;
    }
    if (!data.joints || player instanceof Clock) return;
    player = new Clock(data.duration);
    data.shift = 0;
    player.currentTime = state.clock;
    element("still").hidden = false;
    const button = element("still").querySelector("button");
    player.addEventListener("play", () => { button.textContent = "pause"; });
    player.addEventListener("pause", () => { button.textContent = "play"; });
    listen();
  }

  if (player) listen();
  if (!player || player.error) withoutVideo(); // it may have failed before we listened
  followFrames();
  loadJoints();
  box.addEventListener("scroll", draw);
  const resized = new ResizeObserver(() => { draw(); drawJoints(state.pictured ?? now()); });
  for (const watched of [box, ...document.querySelectorAll(".picture")]) resized.observe(watched);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  refresh();
  requestAnimationFrame(tick);
})();
