// SPDX-License-Identifier: Apache-2.0
// Has the browser make or show a passkey when a form with `data-passkey` is sent, and sends its answer with the form.
// What is asked, and what is answered, are the JSON forms of WebAuthn; bytes are base64url in them.

const bytesOf = (text) =>
  Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (one) => one.charCodeAt(0));

const textOf = (buffer) =>
  btoa(String.fromCharCode(...new Uint8Array(buffer)))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replace(/=+$/, "");

const opened = (options) => {
  const found = { ...options, challenge: bytesOf(options.challenge) };
  if (options.user) {
    found.user = { ...options.user, id: bytesOf(options.user.id) };
  }
  for (const list of ["allowCredentials", "excludeCredentials"]) {
    if (options[list]) {
      found[list] = options[list].map((one) => ({ ...one, id: bytesOf(one.id) }));
    }
  }
  return found;
};

const told = (made) => {
  const response = {};
  for (const part of ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"]) {
    if (made.response[part]) {
      response[part] = textOf(made.response[part]);
    }
  }
  return JSON.stringify({ id: made.id, rawId: textOf(made.rawId), type: made.type, response });
};

const prepare = (place) => {
  const form = place.querySelector("form");
  const failed = document.querySelector("[data-passkey-failed]");
  let answered = false;
  form.addEventListener("submit", async (event) => {
    if (answered) {
      return;
    }
    event.preventDefault();
    try {
      const publicKey = opened(JSON.parse(place.dataset.options));
      const made =
        place.dataset.passkey === "make"
          ? await navigator.credentials.create({ publicKey })
          : await navigator.credentials.get({ publicKey });
      form.elements.answer.value = told(made);
      answered = true;
      form.requestSubmit();
    } catch {
      failed.hidden = false; // cancelled, too late, or there is none: the browser does not say which
    }
  });
};

if (window.PublicKeyCredential) {
  document.querySelectorAll("[data-passkey]").forEach(prepare);
}
