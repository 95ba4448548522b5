// What pages do beyond htmx: arrow keys between a search and what it found, and focus after a choice.
// Everything works without this file.
"use strict";

const options = (found) => [...found.querySelectorAll("button.option:not(.no)")];

function foundBy(input) {
  return document.getElementById(input.dataset.finds);
}

document.addEventListener("keydown", (event) => {
  const input = event.target.closest("[data-finds]");
  if (input) {
    const found = options(foundBy(input));
    if (event.key === "ArrowDown" && found.length) {
      event.preventDefault();
      found[0].focus();
    } else if (event.key === "Enter") {
      event.preventDefault(); // one that is sure takes the first
      if (found.length && input.value.trim()) found[0].click();
    } else if (event.key === "Escape") {
      input.value = "";
      input.dispatchEvent(new Event("input", { bubbles: true }));
    }
    return;
  }
  const option = event.target.closest(".found button.option");
  if (!option || !["ArrowDown", "ArrowUp", "ArrowRight", "ArrowLeft", "Escape"].includes(event.key)) return;
  const list = option.closest(".found");
  const all = options(list);
  const at = all.indexOf(option.closest("li").querySelector("button.option"));
  const search = document.querySelector(`[data-finds="${list.id}"]`);
  event.preventDefault();
  if (event.key === "ArrowDown") (all[at + 1] || all[at]).focus();
  else if (event.key === "ArrowUp" && at > 0) all[at - 1].focus();
  else if (event.key === "ArrowRight") (option.nextElementSibling || option).focus();
  else if (event.key === "ArrowLeft") all[at].focus();
  else if (search) search.focus();
});

// After a term or gene was taken in, the search is empty again and ready for the next.
document.addEventListener("htmx:afterRequest", (event) => {
  const button = event.detail.elt;
  if (!event.detail.successful || !button.matches || !button.matches("button.option")) return;
  if (button.dataset.taken === "remove") {
    const next = button.closest("li").nextElementSibling || button.closest("li").previousElementSibling;
    button.closest("li").remove();
    (next ? next.querySelector("button") : document.getElementById("text")).focus();
    return;
  }
  const list = button.closest(".found");
  const search = list && document.querySelector(`[data-finds="${list.id}"]`);
  if (!search) return;
  search.value = "";
  list.querySelectorAll("ul").forEach((one) => one.remove());
  search.focus();
});

// A row that was taken away leaves the focus to the one in its place; the last one to the search.
document.addEventListener("htmx:afterRequest", (event) => {
  const button = event.detail.requestConfig.elt; // gone from the page, with the list that it stood in
  if (!event.detail.successful || !button.matches(".rows button.quiet")) return;
  const before = button.closest(".rows");
  const at = [...before.querySelectorAll("button.quiet")].indexOf(button);
  const rows = document.getElementById(before.id);
  const left = rows.querySelectorAll("button.quiet");
  (left[at] || left[at - 1] || rows.closest("fieldset").querySelector("[data-finds]")).focus();
});

// What could not be kept is read out first.
const problems = document.getElementById("problems");
if (problems) problems.focus();

// Of what goes with a status only that is open which is chosen.
document.addEventListener("change", (event) => {
  if (!event.target.matches("[data-shows]")) return;
  for (const one of document.querySelectorAll("details.when")) one.open = one.dataset.when === event.target.value;
});
