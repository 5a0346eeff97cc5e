// SPDX-License-Identifier: Apache-2.0
// A copy button beside everything that is meant for a terminal. Where the browser gives no clipboard (on plain HTTP
// from another machine), there are no buttons; one click on a command selects it whole, by style alone.

const words = document.body.dataset;
const said = document.getElementById("said");

const textOf = (place) => place.dataset.copy || place.querySelector("code").textContent;

const select = (place) => {
  const code = place.querySelector("code") ?? place;
  getSelection().selectAllChildren(code);
};

const copy = async (button, place) => {
  try {
    await navigator.clipboard.writeText(textOf(place));
    button.dataset.done = "";
    said.textContent = words.wordCopied;
  } catch {
    select(place);
    said.textContent = words.wordFailed;
  }
  setTimeout(() => {
    delete button.dataset.done;
    said.textContent = "";
  }, 2000);
};

const addButton = (place) => {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "copy";
  button.title = place.dataset.copyName ?? words.wordCopy;
  button.setAttribute("aria-label", place.dataset.copyName ?? `${words.wordCopy}: ${textOf(place)}`);
  button.addEventListener("click", () => copy(button, place));
  place.append(button);
};

if (isSecureContext && navigator.clipboard) {
  document.querySelectorAll("[data-copy]").forEach(addButton);
}
