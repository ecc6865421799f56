"use strict";
// The joints of people over the picture, and a clock that replaces the player where there is no video.

// The part of the interface of a <video> that viewer.js uses, without a video.
class Clock extends EventTarget {
  constructor(duration) {
    super();
    Object.assign(this, { duration, paused: true, readyState: 4, error: null, since: 0, at: 0 });
  }

  get currentTime() {
    return this.paused ? this.at : Math.min(this.at + (performance.now() - this.since) / 1000, this.duration);
  }

  set currentTime(seconds) {
    this.at = Math.min(Math.max(seconds, 0), this.duration);
    this.since = performance.now();
    this.dispatchEvent(new Event("seeked"));
  }

  async play() {
    if (!this.paused) return;
    if (this.at >= this.duration) this.at = 0;
    this.since = performance.now();
    this.paused = false;
    this.dispatchEvent(new Event("play"));
    requestAnimationFrame(() => this.advance());
  }

  pause() {
    if (this.paused) return;
    this.at = this.currentTime;
    this.paused = true;
    this.dispatchEvent(new Event("pause"));
  }

  advance() {
    if (this.paused) return;
    this.dispatchEvent(new Event("timeupdate"));
    if (this.currentTime >= this.duration) {
      this.pause();
      this.dispatchEvent(new Event("ended"));
    } else requestAnimationFrame(() => this.advance());
  }
}

// Draws what report/joints.py wrote. Rows are read when they are shown: an hour of them is never unpacked as a whole.
class Joints {
  constructor(canvas, data) {
    this.canvas = canvas;
    this.data = data;
    this.shown = true;
    this.last = null;
    for (const person of data.people) {
      let at = person.start;
      person.times = Float64Array.from([0, ...person.steps], (step) => (at += step) / 1000);
      const sorted = [...person.steps].sort((a, b) => a - b);
      person.step = (sorted[sorted.length >> 1] ?? 40) / 1000;
      person.decoded = new Map(); // the two rows that the picture lies between
    }
  }

  row(person, index) {
    if (person.decoded.has(index)) return person.decoded.get(index);
    const count = person.joints, margin = this.data.margin;
    const octets = atob(person.rows.substr(4 * count * index, 4 * count));
    const row = Array.from({ length: count }, (_, joint) => {
      const [a, b, c] = [0, 1, 2].map((octet) => octets.charCodeAt(3 * joint + octet));
      const code = (a << 16) | (b << 8) | c;
      return { level: code >> 22, x: (((code >> 11) & 2047) - margin) / 1000, y: ((code & 2047) - margin) / 1000 };
    });
    if (person.decoded.size > 3) person.decoded.clear();
    person.decoded.set(index, row);
    return row;
  }

  // The joints of a person at a time, interpolated between two rows where both are near; null where no row is near.
  at(person, seconds) {
    const times = person.times, near = 1.25 * person.step;
    let low = 0, high = times.length; // the last row that is not later
    while (low < high) {
      const middle = (low + high) >> 1;
      if (times[middle] <= seconds) low = middle + 1;
      else high = middle;
    }
    const before = low - 1;
    const early = before >= 0 && seconds - times[before] <= near;
    const late = low < times.length && times[low] - seconds <= near;
    if (!early && !late) return null;
    if (!early || !late) return this.row(person, early ? before : low);
    const part = (seconds - times[before]) / (times[low] - times[before]);
    const [one, other] = [this.row(person, before), this.row(person, low)];
    return one.map((joint, index) => {
      const next = other[index];
      if (!joint.level || !next.level) return part < 0.5 ? joint : next;
      const mix = (name) => (1 - part) * joint[name] + part * next[name];
      return { level: Math.min(joint.level, next.level), x: mix("x"), y: mix("y") };
    });
  }

  // ratio: width by height of the picture, which fills the canvas as far as that allows.
  draw(seconds, ratio) {
    const { canvas, data } = this;
    const scale = window.devicePixelRatio || 1, width = canvas.clientWidth, height = canvas.clientHeight;
    const now = [seconds, ratio, width, height, scale, this.shown].join();
    if (now === this.last) return;
    this.last = now;
    if (canvas.width !== Math.round(width * scale)) canvas.width = Math.round(width * scale);
    if (canvas.height !== Math.round(height * scale)) canvas.height = Math.round(height * scale);
    const pen = canvas.getContext("2d");
    pen.setTransform(scale, 0, 0, scale, 0, 0);
    pen.clearRect(0, 0, width, height);
    if (!this.shown) return;
    const wide = Math.min(width, height * ratio), tall = wide / ratio;
    pen.translate((width - wide) / 2, (height - tall) / 2);
    pen.beginPath();
    pen.rect(0, 0, wide, tall);
    pen.clip();
    pen.lineCap = "round";
    for (const person of data.people) {
      const row = this.at(person, seconds);
      if (row) this.drawPerson(pen, person, row, wide, tall);
    }
  }

  drawPerson(pen, person, row, wide, tall) {
    const thick = Math.max(tall / 160, 1.5);
    for (const under of [true, false]) { // first a dark edge, so that the lines are visible on a bright picture
      for (const [a, b, side, hand] of person.bones) {
        const level = Math.min(row[a].level, row[b].level);
        if (!level) continue;
        pen.globalAlpha = this.data.opacity[level] * (under ? 0.5 : 1);
        pen.strokeStyle = under ? "#000000" : this.data.sides[side];
        pen.lineWidth = (hand ? 0.5 : 1) * thick + (under ? 2 : 0);
        pen.beginPath();
        pen.moveTo(row[a].x * wide, row[a].y * tall);
        pen.lineTo(row[b].x * wide, row[b].y * tall);
        pen.stroke();
      }
    }
    pen.globalAlpha = 1;
    const highest = row.filter((joint) => joint.level).sort((a, b) => a.y - b.y)[0];
    if (this.data.people.length < 2 || !highest) return;
    pen.font = "bold 14px system-ui, sans-serif";
    pen.textAlign = "center";
    pen.lineWidth = 3;
    pen.strokeStyle = "#000000";
    pen.fillStyle = "#ffffff";
    const place = [`${person.person}`, highest.x * wide, Math.max(highest.y * tall - 10, 14)];
    pen.strokeText(...place);
    pen.fillText(...place);
  }
}
