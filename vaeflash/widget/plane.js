// A plane to touch: drag in the square, and the decoded picture changes.
//
// One function, called by the last line of its file with the plane's name and data (packing.py says
// what is in them). It leaves no name behind, asks the network for nothing, and listens to its own
// elements alone, so that a card that is turned away takes everything with it.
(function (name, plane) {
  "use strict";
  var REACH = 3.5;
  var SECONDS = 4;
  var PARTS = 6;
  var COLOURS = "#47a #f82 #e55 #6bb #5a4 #ca2 #b7a #f7a #975 #89a".split(" ");
  var SIGNS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&()*+-;<=>?@^_`{|}~";

  // Base 85, five signs for four bytes.
  function bytes(text) {
    var view = new DataView(new ArrayBuffer(text.length / 5 * 4));
    for (var i = 0; i < text.length; i += 5) {
      var word = 0;
      for (var j = i; j < i + 5; j++) word = word * 85 + SIGNS.indexOf(text[j]);
      view.setUint32(i / 5 * 4, word);
    }
    return view;
  }

  // A 16-bit float that is not negative.
  function half(bits) {
    var exponent = bits >> 10, fraction = bits & 1023;
    return exponent ? Math.pow(2, exponent - 25) * (1024 + fraction) : Math.pow(2, -24) * fraction;
  }

  // Layers with their scales multiplied in.
  function layersOf(widths, view) {
    var at = 0;
    return widths.slice(1).map(function (n, before) {
      var k = widths[before], end = at + n * k + n;
      var w = new Float32Array(n * k), b = new Float32Array(n);
      var last = half(view.getUint16(end + 2 * n, true));
      for (var i = 0; i < n; i++) {
        var scale = half(view.getUint16(end + 2 * i, true));
        for (var j = 0; j < k; j++) w[i * k + j] = scale * view.getInt8(at + i * k + j);
        b[i] = last * view.getInt8(at + n * k + i);
      }
      at = end + 2 * n + 2;
      return { w: w, b: b, last: before === widths.length - 2 };
    });
  }

  // SiLU between the layers, a sigmoid at the end.
  function decode(layers, z) {
    return layers.reduce(function (x, layer) {
      var k = x.length;
      return layer.b.map(function (sum, i) {
        for (var j = 0; j < k; j++) sum += layer.w[i * k + j] * x[j];
        return (layer.last ? 1 : sum) / (1 + Math.exp(-sum));
      });
    }, z);
  }

  function make(parent, tag, attributes, text) {
    var space = tag === "svg" ? "http://www.w3.org/2000/svg" : parent.namespaceURI;
    var element = document.createElementNS(space, tag);
    for (var key in attributes) element.setAttribute(key, attributes[key]);
    if (text !== undefined) element.textContent = text;
    return parent.appendChild(element);
  }

  // Hundredths of a unit, y downwards: where the square draws a number of the code.
  function place(number) {
    return Math.round(100 * number);
  }

  function write(number) {
    return (number < 0 ? "\u2212" : "") + Math.abs(number).toFixed(2);
  }

  // Codes as dots, one path a class, and the class's name where it is most at home.
  function scatter(parent, decoder) {
    var view = bytes(decoder.codes), at = 0;
    decoder.counts.forEach(function (count, label) {
      for (var dots = "", end = at + 2 * count; at < end; at += 2) {
        dots += "M" + place(view.getInt8(at) * REACH / 127) +
          " " + place(view.getInt8(at + 1) * -REACH / 127) + "h0";
      }
      make(parent, "path", { d: dots, stroke: COLOURS[label], class: "plane-codes" });
    });
    decoder.homes.forEach(function (home, label) {
      if (home) make(parent, "text",
        { x: place(home[0]), y: place(-home[1]) + 12, class: "plane-class" }, label);
    });
  }

  function start(root) {
    root.setAttribute("data-live", "");
    var live = root.insertBefore(make(root, "div"), root.firstChild);
    var box = make(live, "div", { class: "plane-touch" });
    make(live, "p", { class: "plane-legend" }, "Dots: codes of digits. Circles: the prior's " +
      "deviations. Drag, or use the arrow keys.");
    var square = make(box, "div", {
      class: "plane-square tappable", role: "slider", tabindex: 0, "aria-valuemin": -REACH,
      "aria-valuemax": REACH, "aria-label": "The code"
    });
    var side = make(box, "div", { class: "plane-side" });
    var canvas = make(side, "canvas", { role: "img", "aria-label": "The decoded picture" });
    var words = make(side, "div", { class: "plane-words" });
    var told = make(words, "p", { class: "plane-z" });
    var svg = make(square, "svg", { viewBox: "-350 -350 700 700", "aria-hidden": true });
    make(svg, "path", { d: "M-350 0H350M0-350V350", class: "plane-prior" });
    var dots = make(svg, "g");
    [1, 2, 3].forEach(function (radius) {
      make(svg, "circle", { r: 100 * radius, class: "plane-prior" });
      make(svg, "text", { x: 71 * radius, y: 71 * radius + 10, class: "plane-axis" },
        radius + "\u03c3");
    });
    make(svg, "text", { x: 328, y: -12, class: "plane-axis" }, "z\u2081");
    make(svg, "text", { x: 26, y: -308, class: "plane-axis" }, "z\u2082");
    var handle = make(svg, "circle", { r: 15, class: "plane-handle" });
    var layers, decoder, z = [0, 0], walking = 0, from = 0, part = 0;

    function show(x, y) {
      z = [x, y].map(function (number) { return Math.max(-REACH, Math.min(REACH, number)); });
      var pixels = decode(layers, z);
      var context = canvas.getContext("2d");
      var image = context.createImageData(canvas.width, canvas.height);
      pixels.forEach(function (grey, i) {
        image.data.set([255 * grey + 0.5, 255 * grey + 0.5, 255 * grey + 0.5, 255], 4 * i);
      });
      context.putImageData(image, 0, 0);
      handle.setAttribute("cx", place(z[0]));
      handle.setAttribute("cy", place(-z[1]));
      told.textContent = "z = (" + write(z[0]) + ", " + write(z[1]) + ")";
      square.setAttribute("aria-valuenow", z[0].toFixed(2));
      square.setAttribute("aria-valuetext", told.textContent);
    }

    function choose(number) {
      decoder = plane.decoders[number];
      layers = layersOf(decoder.widths, bytes(decoder.weights));
      canvas.width = canvas.height = Math.sqrt(decoder.widths[decoder.widths.length - 1]);
      dots.textContent = "";
      scatter(dots, decoder);
      buttons.forEach(function (button, i) { button.setAttribute("aria-pressed", i === number); });
      show(z[0], z[1]);
    }

    function point(event) {
      var area = svg.getBoundingClientRect();
      stop();
      show((2 * (event.clientX - area.left) / area.width - 1) * REACH,
        (1 - 2 * (event.clientY - area.top) / area.height) * REACH);
    }
    square.addEventListener("pointerdown", function (event) {
      if (event.button) return;
      square.setPointerCapture(event.pointerId);
      square.focus({ preventScroll: true });
      event.preventDefault();
      point(event);
    });
    square.addEventListener("pointermove", function (event) {
      if (square.hasPointerCapture(event.pointerId)) point(event);
    });
    square.addEventListener("keydown", function (event) {
      var way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
      var step = event.shiftKey ? 0.5 : 0.1, move = way[event.key];
      if (!move || event.ctrlKey || event.altKey || event.metaKey) return;
      event.preventDefault();
      event.stopPropagation();
      stop();
      show(z[0] + step * move[0], z[1] + step * move[1]);
    });

    // The walk: a straight line between two digits, there and, the next time, back.
    var walk = make(words, "button", { type: "button" });

    function label() {
      walk.textContent = walking ? "Stop" :
        "Walk from " + plane.ends[from] + " to " + plane.ends[1 - from];
    }
    function stop() {
      walking = part = 0;
      label();
    }
    function along(share) {
      var a = decoder.path[from], b = decoder.path[1 - from];
      show(a[0] + share * (b[0] - a[0]), a[1] + share * (b[1] - a[1]));
      if (share < 1) return;
      from = 1 - from;
      stop();
    }
    walk.addEventListener("click", function () {
      if (walking) return stop();
      if (matchMedia("(prefers-reduced-motion: reduce)").matches) return along(part++ / PARTS);
      var turn = walking = {}, began;
      label();
      requestAnimationFrame(function frame(now) {
        // A card that was turned away, or a finger, ends it.
        if (walking !== turn || !root.isConnected) return;
        began = began || now;
        along(Math.min(1, (now - began) / 1000 / SECONDS));
        requestAnimationFrame(frame);
      });
    });

    var buttons = [];
    if (plane.decoders.length > 1) buttons = plane.decoders.map(function (each, number) {
      var button = make(words, "button", { type: "button" }, each.name);
      button.addEventListener("click", function () { choose(number); });
      return button;
    });
    label();
    choose(0);
    along(0);
  }

  document.querySelectorAll(".plane:not([data-live])").forEach(function (root) {
    if (root.getAttribute("data-plane") === name) start(root);
  });
})
