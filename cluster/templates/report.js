(function () {
  "use strict";
  var css = getComputedStyle(document.documentElement);
  var ink = css.getPropertyValue("--ink").trim(), line = css.getPropertyValue("--line").trim();
  var soft = css.getPropertyValue("--soft").trim();
  var plots = JSON.parse(document.getElementById("figures").textContent);
  Object.keys(plots).forEach(function (id) {
    var layout = plots[id].layout;
    layout.font = { family: getComputedStyle(document.body).fontFamily, size: 12, color: soft };
    layout.paper_bgcolor = layout.plot_bgcolor = "rgba(0,0,0,0)";
    layout.hoverlabel = { font: { size: 12 } };
    layout.dragmode = false;
    ["xaxis", "yaxis"].forEach(function (axis) {
      Object.assign(layout[axis], { gridcolor: line, linecolor: line, zerolinecolor: line, fixedrange: true });
      layout[axis].tickfont = { color: axis === "yaxis" && layout[axis].ticktext ? ink : soft };
    });
    Plotly.newPlot(id, plots[id].data, layout, { responsive: true, displayModeBar: false });
  });
})();
