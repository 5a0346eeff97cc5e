// SPDX-License-Identifier: Apache-2.0
// A form with `data-live="id"` answers while somebody types: the page that it would lead to is fetched, and the element
// of that id is put in the place of the one here, and its `data-said` is said to who does not see it. The address
// follows, so that it can be kept and reloaded.

import { fetchPage } from "./pages.js";

const PAUSE = 200;

document.querySelectorAll("form[data-live]").forEach((form) => {
  let timer = 0;
  let asked = null;

  const renew = async () => {
    const fields = new URLSearchParams([...new FormData(form)].filter(([, text]) => text.trim()));
    const url = `${form.action.split("?")[0]}${fields.size ? `?${fields}` : ""}`;
    asked?.abort();
    asked = new XMLHttpRequest();
    const place = document.getElementById(form.dataset.live);
    place.setAttribute("aria-busy", "true");
    try {
      const found = (await fetchPage(url, asked)).getElementById(form.dataset.live);
      if (!found) throw new Error("the page has no such part");
      place.replaceWith(document.adoptNode(found));
      history.replaceState(null, "", url);
      document.getElementById("said").textContent = found.dataset.said ?? "";
    } catch {
      place.removeAttribute("aria-busy");
    }
  };

  form.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(renew, PAUSE);
  });
});
