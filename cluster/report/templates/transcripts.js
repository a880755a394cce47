// The chains to read: search, filters, keys and links. Without it all chains are there, and only these are missing.
// It changes no text: it hides chains, and marks what is found with elements of its own.
(function () {
  "use strict";
  var section = document.querySelector("section.chains");
  if (!section) { return; }
  var pick = section.querySelector(".pick"), search = pick.querySelector("input"), none = section.querySelector(".none");
  var selects = Array.from(pick.querySelectorAll("select")), count = pick.querySelector("output");
  var chains = Array.from(section.querySelectorAll("details.chain"));
  var MOST_MARKS = 200, TEXTS = ".said, .steps p";

  function escaped(text) { return text.replace(/[.*+?^${}()|[\]\\\/-]/g, "\\$&"); }

  function fits(chain) {
    return selects.every(function (select) {
      var has = (chain.dataset[select.dataset.by] || "").split(" ");
      return select.value === "" || has.indexOf(select.value) >= 0;
    });
  }

  function unmark() {
    section.querySelectorAll("mark.hit").forEach(function (hit) {
      var parent = hit.parentNode;
      hit.replaceWith(hit.firstChild);
      parent.normalize();
    });
  }

  function mark(chain, pattern) {
    var places = [], left = MOST_MARKS;
    chain.querySelectorAll(TEXTS).forEach(function (text) {
      var walker = document.createTreeWalker(text, NodeFilter.SHOW_TEXT);
      while (walker.nextNode()) { places.push(walker.currentNode); }
    });
    places.forEach(function (node) {
      if (node.parentNode.closest("mark.hit")) { return; }
      var found = Array.from(node.data.matchAll(pattern)).slice(0, left);
      left -= found.length;
      found.reverse().forEach(function (match) {
        var hit = document.createElement("mark"), rest = node.splitText(match.index);
        rest.splitText(match[0].length);
        hit.className = "hit";
        rest.replaceWith(hit);
        hit.append(rest);
        var fold = hit.closest(".fold details");
        if (fold) { fold.open = true; }
      });
    });
  }

  function hits(chain, pattern) {
    var texts = Array.from(chain.querySelectorAll(TEXTS)).filter(function (text) { return !text.parentNode.closest(TEXTS); });
    return texts.reduce(function (sum, text) { return sum + Array.from(text.textContent.matchAll(pattern)).length; }, 0);
  }

  function update() {
    var words = search.value.trim(), pattern = words ? new RegExp(escaped(words), "gi") : null, shown = 0;
    unmark();
    chains.forEach(function (chain) {
      var n = pattern && fits(chain) ? hits(chain, pattern) : 0;
      chain.hidden = !fits(chain) || (pattern !== null && n === 0);
      delete chain.firstElementChild.dataset.hits;
      if (chain.hidden) { return; }
      shown += 1;
      if (pattern) {
        chain.firstElementChild.dataset.hits = n === 1 ? "1 match" : n + " matches";
        mark(chain, pattern);
      }
    });
    count.textContent = shown + " of " + chains.length + " chains";
    none.hidden = shown > 0;
  }

  function all() {
    search.value = "";
    selects.forEach(function (select) { select.value = ""; });
    update();
  }

  function move(by) {
    var open = chains.filter(function (chain) { return !chain.hidden; });
    var at = open.indexOf(document.activeElement.closest("details.chain"));
    var next = open[at < 0 ? 0 : Math.min(open.length - 1, Math.max(0, at + by))];
    if (next) { next.firstElementChild.focus(); }
  }

  function keys(event) {
    var writes = /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName), down = event.key === "ArrowDown";
    if (event.ctrlKey || event.metaKey || event.altKey) { return; }
    if (event.key === "Escape") { all(); }
    else if (event.target === search && (down || event.key === "Enter")) { move(0); }
    else if (writes) { return; }
    else if (event.key === "j" || down) { move(1); }
    else if (event.key === "k" || event.key === "ArrowUp") { move(-1); }
    else if (event.key === "/") { search.focus(); }
    else { return; }
    event.preventDefault();
  }

  function follow() {
    var id = location.hash.slice(1), chain = document.getElementById(id);
    var question = selects.find(function (select) { return select.dataset.by === "question"; });
    if (chain && chains.indexOf(chain) >= 0) {
      if (chain.hidden) { all(); }
      chain.open = true;
      chain.scrollIntoView();
      chain.firstElementChild.focus({ preventScroll: true });
    } else if (id.indexOf("chains-") === 0 && question) {
      all();
      question.value = id.slice("chains-".length);
      if (question.selectedIndex < 0) { question.value = ""; }
      update();
      section.scrollIntoView();
    }
  }

  pick.hidden = false;
  search.addEventListener("input", update);
  selects.forEach(function (select) { select.addEventListener("change", update); });
  pick.querySelector("button").addEventListener("click", all);
  section.addEventListener("keydown", keys);
  window.addEventListener("hashchange", follow);
  update();
  if (location.hash) { follow(); }
})();
