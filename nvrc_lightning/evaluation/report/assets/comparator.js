// The frame comparator. Its pictures are those of the contact sheets, which are what paper shows.
"use strict";

(() => {
  const panel = document.querySelector(".comparator");
  if (!panel) return;
  const part = (name) => panel.querySelector(`[data-part="${name}"]`);
  const stage = panel.querySelector(".stage");
  const [under, over] = stage.querySelectorAll("canvas");
  const videos = report.comparator;
  const state = { video: videos[0], level: 0, left: 0, right: 0, frame: 0, turn: 0 };

  const view = () => panel.querySelector('input[name="view"]:checked').value;
  const gain = () => Number(part("gain").value);
  const decibel = (value) => (value === null ? "identical" : `${value.toFixed(2)} dB`);

  function options(select, labels, chosen) {
    select.replaceChildren(...labels.map((label, value) => new Option(label, value, false, value === chosen)));
  }

  // The source, which is stream 0 where there is one, then every stream of the level.
  function choices() {
    const streams = state.video.levels[state.level].streams;
    return state.video.streams[0].bytes === null ? [0, ...streams] : streams;
  }

  function chooseVideo(number) {
    state.video = videos[number];
    state.level = Math.min(state.level, state.video.levels.length - 1);
    state.frame = Math.floor((state.video.frames.length - 1) / 2);
    options(part("level"), state.video.levels.map((level) => `about ${rate(level.bpp)} bit/pixel`), state.level);
    stage.style.setProperty("--width", `${3 * state.video.width}px`);
    part("frame").max = state.video.frames.length - 1;
    part("frame").value = state.frame;
    chooseLevel(state.level, true);
  }

  function chooseLevel(number, fresh) {
    const [left, right] = fresh ? [0, 0] : [state.left, state.right].map((at) => state.video.streams[at].curve);
    state.level = number;
    const own = choices();
    const find = (curve, otherwise) => own.find((at) => state.video.streams[at].curve === curve) ?? otherwise;
    state.left = fresh ? own[0] : find(left, own[0]);
    state.right = fresh ? own[Math.min(1, own.length - 1)] : find(right, own[0]);
    const labels = own.map((at) => state.video.streams[at].label);
    options(part("left"), labels, own.indexOf(state.left));
    options(part("right"), labels, own.indexOf(state.right));
    show();
  }

  function picture(stream) {
    const number = videos.indexOf(state.video);
    return document.getElementById(`picture-${number}-${stream}-${state.frame}`);
  }

  function paint(canvas, image) {
    const { width, height } = state.video;
    Object.assign(canvas, { width, height });
    const context = canvas.getContext("2d", { willReadFrequently: true });
    context.drawImage(image, 0, 0);
    return context.getImageData(0, 0, width, height);
  }

  // Mean square and largest difference of the pixels shown.
  function compare(first, second) {
    let sum = 0;
    let largest = 0;
    for (let at = 0; at < first.length; at++) {
      if (at % 4 === 3) continue;
      const difference = Math.abs(first[at] - second[at]);
      sum += difference * difference;
      largest = Math.max(largest, difference);
    }
    const mean = sum / (0.75 * first.length);
    return { psnr: mean ? 10 * Math.log10(255 ** 2 / mean) : null, largest };
  }

  function amplified(first, second) {
    const { width, height } = first;
    const result = new ImageData(width, height);
    for (let at = 0; at < first.data.length; at++) {
      result.data[at] = at % 4 === 3 ? 255 : 128 + gain() * (first.data[at] - second.data[at]);
    }
    return result;
  }

  function describe(side, number) {
    const stream = state.video.streams[number];
    const target = state.video.levels[state.level].bpp;
    const ratio = stream.bpp === null ? 1 : stream.bpp / target;
    const matched = Math.abs(Math.log2(ratio)) < Math.log2(1.1) ? "" : ` (${ratio.toFixed(2)} × the rate sought)`;
    const source = stream.bytes === null;
    part(`${side}-name`).textContent = [stream.label, stream.setting].filter((word) => word).join(", ");
    part(`${side}-bytes`).textContent = source ? "–" : grouped(stream.bytes);
    part(`${side}-rate`).textContent = source ? "–" : `${rate(stream.bpp)}${matched}`;
    part(`${side}-frame`).textContent = source ? "–" : decibel(stream.psnr[state.frame]);
    part(`${side}-mean`).textContent = source ? "–" : decibel(stream.mean);
  }

  async function show() {
    const turn = ++state.turn;
    const { video, left, right } = state;
    const frame = video.frames[state.frame];
    part("frame-number").textContent = `frame ${frame} of 0–${video.total - 1}`;
    part("frame").setAttribute("aria-valuetext", `frame ${frame}`);
    const images = [picture(left), picture(right)];
    await Promise.all(images.map((image) => image.decode()));
    if (turn !== state.turn) return; // something else was chosen meanwhile
    const [first, second] = [paint(under, images[0]), paint(over, images[1])];
    const difference = view() === "difference";
    stage.classList.toggle("difference", difference);
    part("gain").disabled = !difference;
    part("at").disabled = difference;
    if (difference) under.getContext("2d").putImageData(amplified(first, second), 0, 0);
    const names = [left, right].map((at) => video.streams[at].label);
    stage.querySelector(".left").textContent = difference ? `${names[0]} − ${names[1]}, × ${gain()}` : names[0];
    stage.querySelector(".right").textContent = names[1];
    stage.setAttribute("aria-label", `${difference ? "Difference of" : "Comparison of"} ${names.join(" and ")}, frame ${frame}`);
    describe("left", left);
    describe("right", right);
    const { psnr, largest } = compare(first.data, second.data);
    part("between").textContent = psnr === null ? "identical" : `PSNR-RGB ${psnr.toFixed(2)} dB, largest difference ${largest} of 255`;
    panel.dataset.shown = turn;
  }

  function slide(percent) {
    const at = Math.min(100, Math.max(0, Math.round(percent)));
    part("at").value = at;
    part("at").setAttribute("aria-valuetext", `${at} % left, ${100 - at} % right`);
    stage.style.setProperty("--at", `${at}%`);
  }

  function follow(event) {
    const box = stage.getBoundingClientRect();
    slide((100 * (event.clientX - box.left)) / box.width);
  }

  options(part("video"), videos.map((video) => video.video), 0);
  part("video").addEventListener("change", (event) => chooseVideo(Number(event.target.value)));
  part("level").addEventListener("change", (event) => chooseLevel(Number(event.target.value), false));
  for (const side of ["left", "right"]) {
    part(side).addEventListener("change", (event) => {
      state[side] = choices()[Number(event.target.value)];
      show();
    });
  }
  part("frame").addEventListener("input", (event) => {
    state.frame = Number(event.target.value);
    show();
  });
  part("gain").addEventListener("change", show);
  part("at").addEventListener("input", (event) => slide(Number(event.target.value)));
  panel.querySelectorAll('input[name="view"]').forEach((button) => button.addEventListener("change", show));
  stage.addEventListener("pointerdown", (event) => {
    stage.setPointerCapture(event.pointerId);
    follow(event);
  });
  stage.addEventListener("pointermove", (event) => {
    if (stage.hasPointerCapture(event.pointerId)) follow(event);
  });
  root.classList.add("compare-ready");
  slide(50);
  chooseVideo(0);
})();
