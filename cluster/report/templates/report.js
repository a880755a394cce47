// The page: folds whose content is made when they are opened, links into folds, the matrix's filters, and printing.
(function () {
  "use strict";
  var FIRST = innerWidth > 640 ? 12 : 6, SMALL = 80;

  // In a large page the content of folds is packed; then it takes a moment to be there.
  function put(held) {
    if (!held.dataset.packed) { held.replaceWith(held.content); return Promise.resolve(); }
    var bytes = Uint8Array.from(atob(held.dataset.packed), function (one) { return one.charCodeAt(0); });
    var stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
    return new Response(stream).text().then(function (text) {
      held.innerHTML = text;
      held.replaceWith(held.content);
    });
  }
  function fill(fold) {
    var held = fold.querySelector(":scope > template");
    return held ? put(held) : Promise.resolve();
  }
  document.addEventListener("toggle", function (event) {
    if (event.target.open) { fill(event.target); }
  }, true);

  // A link's target may lie in folds, and these in templates.
  function find(id) {
    var found = document.getElementById(id), held = document.querySelectorAll("#details template");
    if (found || !held.length) { return Promise.resolve(found); }
    return Promise.all(Array.prototype.map.call(held, put)).then(function () { return find(id); });
  }
  function follow() {
    if (location.hash.length < 2) { return; }
    find(location.hash.slice(1)).then(function (target) {
      if (!target) { return; }
      for (var at = target; at; at = at.parentElement) {
        if (at.tagName === "DETAILS") { fill(at); at.open = true; }
      }
      var own = target.tagName === "DETAILS" ? fill(target) : Promise.resolve();
      own.then(function () { target.scrollIntoView(); });
    });
  }
  window.addEventListener("hashchange", follow);
  follow();

  var opened = [];
  window.addEventListener("beforeprint", function () {
    var folds = document.querySelectorAll("details:not([open])");
    opened = folds.length <= SMALL ? Array.prototype.slice.call(folds) : [];
    opened.forEach(function (fold) { fill(fold); fold.open = true; });
  });
  window.addEventListener("afterprint", function () {
    opened.forEach(function (fold) { fold.open = false; });
    opened = [];
  });

  var table = document.getElementById("answers"), form = document.getElementById("filters");
  if (!table || !form) { return; }
  var rows = Array.prototype.slice.call(table.tBodies[0].rows), all = false;
  var search = form.querySelector("input"), selects = Array.prototype.slice.call(form.querySelectorAll("select"));
  var output = form.querySelector("output"), more = document.createElement("button");
  more.type = "button";
  more.className = "more-lines";
  table.parentElement.after(more);

  function word(cell) { return cell.querySelector("b").textContent; }
  var known = rows.map(function (row) {
    var decision = row.querySelector(".decision"), at = Array.prototype.indexOf.call(row.cells, decision);
    var names = Array.prototype.slice.call(row.cells, 0, at).map(function (cell) { return cell.textContent; });
    var answers = Array.prototype.slice.call(row.cells, at + 1, at + 6).map(word);
    return { name: names.join(" ").toLowerCase(), decision: word(decision), answers: answers };
  });
  function fits(one) {
    return one.name.indexOf(search.value.trim().toLowerCase()) >= 0 && selects.every(function (select) {
      if (!select.value) { return true; }
      if (select.dataset.of !== "decision") { return one.answers[select.dataset.of] === select.value; }
      return select.value === "trust on" ? one.decision.indexOf("trust on") === 0 : one.decision === select.value;
    });
  }
  function show() {
    var found = rows.filter(function (row, at) { return fits(known[at]); }), n = all ? found.length : FIRST;
    rows.forEach(function (row) { row.hidden = true; });
    found.slice(0, n).forEach(function (row) { row.hidden = false; });
    output.textContent = found.length === rows.length ? "" : found.length + " of " + rows.length;
    more.hidden = found.length <= FIRST;
    more.textContent = all ? "Show fewer" : found.length - n + " more";
  }
  more.addEventListener("click", function () { all = !all; show(); });
  form.addEventListener("input", show);
  form.addEventListener("submit", function (event) { event.preventDefault(); });
  form.addEventListener("reset", function () { setTimeout(show); });
  window.addEventListener("beforeprint", function () { rows.forEach(function (row) { row.hidden = false; }); });
  window.addEventListener("afterprint", show);
  show();
})();
