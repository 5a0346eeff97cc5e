// SPDX-License-Identifier: Apache-2.0
// Fetches a page of ours. The browser reads it itself, so no text of it becomes markup that was none.

// `asked` may be given by who wants to abort it; then, and where there is no such page, the promise is rejected.
export const fetchPage = (url, asked = new XMLHttpRequest()) =>
  new Promise((resolve, reject) => {
    asked.open("GET", url);
    asked.responseType = "document";
    asked.onload = () => (asked.status === 200 && asked.response ? resolve(asked.response) : reject());
    asked.onerror = asked.onabort = reject;
    asked.send();
  });
