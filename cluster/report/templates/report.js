// The page: folds whose content is made when they are opened, links into folds, the matrix's filters, and printing.
(function () {
  "use strict";
  var FIRST = innerWidth > 640 ? 12 : 6, SMALL = 80;

  function fill(fold) {
    var held = fold.querySelector(":scope > template");
    if (held) { held.replaceWith(held.content); }
  }
  document.addEventListener("toggle", function (event) {
    if (event.target.open) { fill(event.target); }
  }, true);

  // A link's target may lie in folds, and these in templates.
  function find(id) {
    var found = document.getElementById(id), held = document.querySelectorAll("#details template");
    while (!found && held.length) {
      held.forEach(function (one) { one.replaceWith(one.content); });
      found = document.getElementById(id);
      held = document.querySelectorAll("#details template");
    }
    return found;
  }
  function follow() {
    var target = location.hash.length > 1 && find(location.hash.slice(1));
    if (!target) { return; }
    for (var at = target; at; at = at.parentElement) {
      if (at.tagName === "DETAILS") { fill(at); at.open = true; }
    }
    target.scrollIntoView();
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
