// Opens the card that a link names, and searches. Without it the pages can be read all the same.
(function () {
  "use strict";
  var MOST = 50;
  var AROUND = 70;

  // A link to a card shows both of its sides.
  function open() {
    var card = document.getElementById(location.hash.slice(1));
    var back = card && card.querySelector(".back");
    if (!back) return;
    back.open = true;
    card.scrollIntoView();
  }
  addEventListener("hashchange", open);
  addEventListener("load", open);

  // On paper all answers are seen; afterwards the page is as it was.
  var closed = [];
  addEventListener("beforeprint", function () {
    closed = Array.from(document.querySelectorAll(".back:not([open])"));
    closed.forEach(function (back) { back.open = true; });
  });
  addEventListener("afterprint", function () {
    closed.forEach(function (back) { back.open = false; });
  });

  // What is wider than its box is scrolled by keys, too, once it can have the focus.
  function reach() {
    document.querySelectorAll("pre, .scroll, .display, .text").forEach(function (box) {
      if (box.scrollWidth > box.clientWidth + 1) box.tabIndex = 0;
      else box.removeAttribute("tabindex");
    });
  }
  addEventListener("load", reach);
  addEventListener("resize", reach);
  document.addEventListener("toggle", reach, true);

  var box = document.querySelector("[role=search]");
  var query = document.getElementById("Query");
  var count = document.getElementById("Count");
  var found = document.getElementById("Found");
  var index = null, asked = false;
  box.hidden = false;

  // Small letters without accents, each where it was.
  function fold(text) {
    return text.split("").map(function (sign) {
      return sign.normalize("NFD")[0].toLowerCase()[0];
    }).join("");
  }

  function load() {
    if (asked) return;
    asked = true;
    var script = document.createElement("script");
    script.src = "search-index.js";
    script.onload = function () {
      index = script.index;
      index.cards.forEach(function (card) { card.folded = card.slice(2).map(fold); });
      search();
    };
    script.onerror = function () { count.textContent = "The index of the search is not here."; };
    document.head.append(script);
  }

  // How well a word fits a text: at the beginning of a word better than inside.
  function fit(text, word) {
    var at = text.indexOf(word), best = 0;
    while (at >= 0 && best < 2) {
      best = at === 0 || !/[\p{L}\p{N}]/u.test(text[at - 1]) ? 2 : 1;
      at = text.indexOf(word, at + 1);
    }
    return best;
  }

  // 0 unless every word is found; the title counts most, then tags, then text.
  function score(card, words) {
    var sum = 0;
    for (var i = 0; i < words.length; i++) {
      var each = 16 * fit(card.folded[0], words[i]) + 4 * fit(card.folded[2], words[i]) +
        fit(card.folded[1], words[i]);
      if (!each) return 0;
      sum += each;
    }
    return sum;
  }

  function add(parent, tag, text) {
    var element = document.createElement(tag);
    element.textContent = text || "";
    return parent.appendChild(element);
  }

  // A text with the words marked.
  function mark(parent, text, words) {
    var folded = fold(text), at = 0;
    while (at < text.length) {
      var next = text.length, length = 0;
      words.forEach(function (word) {
        var here = folded.indexOf(word, at);
        if (here >= 0 && (here < next || here === next && word.length > length)) {
          next = here;
          length = word.length;
        }
      });
      parent.append(text.slice(at, next));
      if (length) add(parent, "mark", text.slice(next, next + length));
      at = next + length;
    }
  }

  // The part of a text around the first word that is in it.
  function part(text, folded, words) {
    var first = Math.min.apply(null, words.map(function (word) {
      var at = folded.indexOf(word);
      return at < 0 ? Infinity : at;
    }));
    var begin = isFinite(first) ? Math.max(0, first - AROUND) : 0;
    if (begin) begin = text.indexOf(" ", begin) + 1 || begin;
    var end = Math.min(text.length, begin + 2.5 * AROUND);
    if (end < text.length) end = text.lastIndexOf(" ", end);
    return (begin ? "… " : "") + text.slice(begin, end) + (end < text.length ? " …" : "");
  }

  function show(card, words) {
    var deck = index.decks[card[0]];
    var link = add(add(found, "li"), "a");
    link.href = deck[0] + "#" + card[1];
    mark(add(link, "strong"), card[2], words);
    add(link, "small", deck[1]);
    mark(add(link, "span"), part(card[3], card.folded[1], words), words);
  }

  function search() {
    var words = fold(query.value).split(/\s+/).filter(Boolean);
    found.textContent = count.textContent = "";
    if (!words.length) return;
    if (!index) return load();
    var hits = index.cards.map(function (card) { return [score(card, words), card]; })
      .filter(function (hit) { return hit[0]; })
      .sort(function (a, b) { return b[0] - a[0]; });
    count.textContent = hits.length > MOST ? "The first " + MOST + " of " + hits.length + " cards" :
      hits.length === 1 ? "1 card" : (hits.length || "No") + " cards";
    hits.slice(0, MOST).forEach(function (hit) { show(hit[1], words); });
  }

  function clear() {
    query.value = "";
    search();
  }

  query.addEventListener("focus", load);
  query.addEventListener("input", search);
  found.addEventListener("click", function (event) {
    if (event.target.closest("a")) setTimeout(clear);
  });

  // Arrows go through what was found, Enter takes the first of it, Escape ends it.
  box.addEventListener("keydown", function (event) {
    var step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (event.key === "Escape") {
      clear();
      query.focus();
    }
    if (event.key === "Enter" && event.target === query && found.firstChild) {
      found.querySelector("a").click();
    }
    if (!step) return;
    var stops = [query].concat(Array.from(found.querySelectorAll("a")));
    var next = stops[stops.indexOf(document.activeElement) + step];
    event.preventDefault();
    if (next) next.focus();
  });
  // As on many sites, a slash leads to the search.
  document.addEventListener("keydown", function (event) {
    var typing = /^(input|textarea|select)$/i.test(event.target.tagName);
    if (event.key !== "/" || typing || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    query.focus();
  });
})();
