// Turns the points of one figure. The still image below stays for pages without scripts.
(function () {
  "use strict";
  function start(box) {
    if (box.tchalkStarted) return;
    box.tchalkStarted = true;
    var svg = box.querySelector("svg"), room = svg.querySelector(".tk-room");
    var still = svg.querySelector(".tk-still"), canvas = box.querySelector("canvas");
    var pen = canvas.getContext && canvas.getContext("2d");
    if (!pen) return;
    var view = svg.viewBox.baseVal;
    function part(name, whole) {
      return (100 * parseFloat(room.getAttribute(name)) / whole) + "%";
    }
    canvas.style.left = part("x", view.width);
    canvas.style.top = part("y", view.height);
    canvas.style.width = part("width", view.width);
    canvas.style.height = part("height", view.height);
    canvas.style.display = "block";
    still.style.visibility = "hidden";

    // Each point: three numbers of 16 bits, one byte for its group.
    var raw = atob(box.getAttribute("data-points")), count = Math.floor(raw.length / 7);
    var points = new Float32Array(3 * count), groups = new Uint8Array(count);
    for (var i = 0; i < count; i++) {
      for (var k = 0; k < 3; k++) {
        var value = raw.charCodeAt(7 * i + 2 * k) | (raw.charCodeAt(7 * i + 2 * k + 1) << 8);
        points[3 * i + k] = (value - 32768) / 32767;
      }
      groups[i] = raw.charCodeAt(7 * i + 6);
    }
    var sides = JSON.parse(box.getAttribute("data-sides"));
    var reach = Math.sqrt(sides[0] * sides[0] + sides[1] * sides[1] + sides[2] * sides[2]);
    var axes = JSON.parse(box.getAttribute("data-axes"));
    var yaw0 = parseFloat(box.getAttribute("data-yaw")), pitch0 = parseFloat(box.getAttribute("data-pitch"));
    var eye = parseFloat(box.getAttribute("data-eye")), fit = parseFloat(box.getAttribute("data-fit"));
    var yaw = yaw0, pitch = pitch0, zoom = 1, waiting = false;
    var order = new Uint32Array(count), depth = new Float32Array(count);
    for (i = 0; i < count; i++) order[i] = i;

    function ink(name) {
      return getComputedStyle(svg).getPropertyValue("--tk-" + name).trim();
    }
    function draw() {
      waiting = false;
      var width = canvas.clientWidth, height = canvas.clientHeight;
      if (!width || !height) return;
      var dense = window.devicePixelRatio || 1;
      if (canvas.width !== Math.round(width * dense) || canvas.height !== Math.round(height * dense)) {
        canvas.width = Math.round(width * dense);
        canvas.height = Math.round(height * dense);
      }
      pen.setTransform(dense, 0, 0, dense, 0, 0);
      pen.clearRect(0, 0, width, height);
      var sy = Math.sin(yaw), cy = Math.cos(yaw), sp = Math.sin(pitch), cp = Math.cos(pitch);
      var unit = zoom * Math.min(width, height) / (fit * reach);
      function turn(x, y, z) {
        var x1 = x * cy + z * sy, z1 = z * cy - x * sy;
        var y2 = y * cp - z1 * sp, z2 = y * sp + z1 * cp, near = 1 / (1 - z2 / eye);
        return [width / 2 + unit * near * x1, height / 2 - unit * near * y2, z2, near];
      }
      pen.globalAlpha = 1;
      pen.strokeStyle = ink("rule");
      pen.lineWidth = 1;
      var signs = [-1, 1];
      signs.forEach(function (a) {
        signs.forEach(function (b) {
          [[[-1, a, b], [1, a, b]], [[a, -1, b], [a, 1, b]], [[a, b, -1], [a, b, 1]]].forEach(function (edge) {
            var ends = edge.map(function (end) {
              return turn(end[0] * sides[0], end[1] * sides[1], end[2] * sides[2]);
            });
            var from = ends[0], to = ends[1];
            pen.beginPath();
            pen.moveTo(from[0], from[1]);
            pen.lineTo(to[0], to[1]);
            pen.stroke();
          });
        });
      });
      var places = new Float32Array(3 * count);
      for (var i = 0; i < count; i++) {
        var at = turn(points[3 * i], points[3 * i + 1], points[3 * i + 2]);
        places[3 * i] = at[0];
        places[3 * i + 1] = at[1];
        places[3 * i + 2] = at[3];
        depth[i] = at[2];
      }
      order.sort(function (a, b) { return depth[a] - depth[b]; });
      var colors = [];
      for (i = 0; i < 10; i++) colors.push(ink("c" + i));
      var radius = parseFloat(box.getAttribute("data-radius")) * Math.sqrt(zoom) * width / parseFloat(room.getAttribute("width"));
      pen.globalAlpha = 0.8;
      for (var n = 0; n < count; n++) {
        i = order[n];
        pen.fillStyle = colors[groups[i] % 10];
        pen.beginPath();
        pen.arc(places[3 * i], places[3 * i + 1], radius * places[3 * i + 2], 0, 7);
        pen.fill();
      }
      pen.globalAlpha = 1;
      pen.fillStyle = ink("quiet");
      pen.font = "10.5px DejaVu Sans, Verdana, sans-serif";
      var left = -sides[0] - 0.12, low = -sides[1] - 0.12, front = sides[2] + 0.12;
      var middle = turn(0, 0, 0)[0];
      [[0, low, front], [left, 0, -front], [left, low, 0]].forEach(function (place, axis) {
        var at = turn.apply(null, place);
        var name = axes[axis] || "", length = pen.measureText(name).width;
        var start = at[0] < middle ? at[0] - length : at[0];
        start = Math.max(0, Math.min(start, width - length));
        pen.fillText(name, start, Math.max(12, Math.min(at[1], height - 5)));
      });
    }
    function soon() {
      if (!waiting) {
        waiting = true;
        requestAnimationFrame(draw);
      }
    }
    function tilt(by) {
      pitch = Math.max(-1.5, Math.min(1.5, pitch + by));
    }
    var held = null;
    canvas.addEventListener("pointerdown", function (event) {
      held = [event.clientX, event.clientY];
      canvas.setPointerCapture(event.pointerId);
      canvas.style.cursor = "grabbing";
    });
    canvas.addEventListener("pointermove", function (event) {
      if (!held) return;
      yaw += (event.clientX - held[0]) * 0.01;
      tilt((event.clientY - held[1]) * 0.01);
      held = [event.clientX, event.clientY];
      soon();
    });
    ["pointerup", "pointercancel"].forEach(function (name) {
      canvas.addEventListener(name, function () {
        held = null;
        canvas.style.cursor = "grab";
      });
    });
    canvas.addEventListener("dblclick", function () {
      yaw = yaw0, pitch = pitch0, zoom = 1;
      soon();
    });
    canvas.addEventListener("keydown", function (event) {
      var moves = {
        ArrowLeft: function () { yaw -= 0.1; },
        ArrowRight: function () { yaw += 0.1; },
        ArrowUp: function () { tilt(-0.1); },
        ArrowDown: function () { tilt(0.1); },
        "+": function () { zoom = Math.min(6, zoom * 1.15); },
        "=": function () { zoom = Math.min(6, zoom * 1.15); },
        "-": function () { zoom = Math.max(0.5, zoom / 1.15); },
        "0": function () { yaw = yaw0, pitch = pitch0, zoom = 1; }
      };
      if (!moves[event.key] || event.ctrlKey || event.metaKey || event.altKey) return;
      moves[event.key]();
      event.preventDefault();
      event.stopPropagation();
      soon();
    });
    if (window.ResizeObserver) new ResizeObserver(soon).observe(canvas);
    else window.addEventListener("resize", soon);
    // The page's theme may change under the figure.
    var watch = new MutationObserver(soon), what = { attributes: true };
    watch.observe(document.documentElement, what);
    watch.observe(document.body, what);
    if (window.matchMedia) {
      var dark = window.matchMedia("(prefers-color-scheme: dark)");
      if (dark.addEventListener) dark.addEventListener("change", soon);
    }
    draw();
  }
  var boxes = document.querySelectorAll("[data-tchalk-3d='@ID@']");
  for (var i = 0; i < boxes.length; i++) start(boxes[i]);
})();
