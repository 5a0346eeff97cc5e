// SPDX-License-Identifier: Apache-2.0
// The search field answers while somebody types: the page that it leads to is fetched, and its links are shown below
// the field. Arrows choose one, Enter opens it, Escape closes the list; without a choice Enter leads to the page.

import { fetchPage } from "./pages.js";

const PAUSE = 150;
const SHORTEST = 2;
const MOST = 5; // of each kind

const improve = (form) => {
  const field = form.querySelector("input[type=search]");
  const list = document.createElement("div");
  list.id = "suggestions";
  list.setAttribute("role", "listbox");
  list.setAttribute("aria-label", form.querySelector("label").textContent);
  list.hidden = true;
  form.append(list);
  for (const [name, value] of [["role", "combobox"], ["aria-autocomplete", "list"], ["aria-controls", list.id], ["aria-expanded", "false"]]) {
    field.setAttribute(name, value);
  }

  let timer = 0;
  let asked = null;
  const options = () => [...list.querySelectorAll("[role=option]")];
  const chosen = () => list.querySelector("[aria-selected=true]");

  const close = () => {
    clearTimeout(timer);
    asked?.abort();
    list.hidden = true;
    field.setAttribute("aria-expanded", "false");
    field.removeAttribute("aria-activedescendant");
  };

  const choose = (option) => {
    chosen()?.setAttribute("aria-selected", "false");
    if (!option) return field.removeAttribute("aria-activedescendant");
    option.setAttribute("aria-selected", "true");
    option.scrollIntoView({ block: "nearest" });
    field.setAttribute("aria-activedescendant", option.id);
  };

  const groupOf = (finds, number) => {
    const group = document.createElement("div");
    const title = document.createElement("span");
    title.id = `suggestions-${number}`;
    title.textContent = finds.dataset.kind;
    group.setAttribute("role", "group");
    group.setAttribute("aria-labelledby", title.id);
    group.append(title);
    [...finds.querySelectorAll("[data-find]")].slice(0, MOST).forEach((link, place) => {
      const option = document.adoptNode(link);
      option.id = `suggestion-${number}-${place}`;
      option.tabIndex = -1;
      option.setAttribute("role", "option");
      option.setAttribute("aria-selected", "false");
      group.append(option);
    });
    return group;
  };

  const renew = async () => {
    const words = field.value.trim();
    if (words.length < SHORTEST) return close();
    asked?.abort();
    asked = new XMLHttpRequest();
    try {
      const page = await fetchPage(`${form.action.split("?")[0]}?${new URLSearchParams({ q: words })}`, asked);
      list.replaceChildren(...[...page.querySelectorAll(".finds")].map(groupOf));
    } catch {
      return;
    }
    const isOpen = list.childElementCount > 0 && document.activeElement === field;
    list.hidden = !isOpen;
    field.setAttribute("aria-expanded", String(isOpen));
    field.removeAttribute("aria-activedescendant");
  };

  field.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(renew, PAUSE);
  });
  field.addEventListener("keydown", (event) => {
    if (list.hidden || event.isComposing) return;
    const all = options();
    const now = all.indexOf(chosen());
    if (event.key === "ArrowDown") choose(all[now + 1] ?? all[0]);
    else if (event.key === "ArrowUp") choose(all[now - 1] ?? all.at(-1));
    else if (event.key === "Enter" && now >= 0) all[now].click();
    else if (event.key === "Escape") close();
    else return;
    event.preventDefault();
  });
  form.addEventListener("submit", close);
  form.addEventListener("focusout", (event) => {
    if (!form.contains(event.relatedTarget)) close();
  });
};

document.querySelectorAll("form.search").forEach(improve);
