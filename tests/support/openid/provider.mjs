// SPDX-License-Identifier: Apache-2.0
// The certified oidc-provider, with people that a file names. Each is asked for nothing but a name.
//
//   node provider.mjs PORT PEOPLE.json REDIRECT_URI…
//
// PEOPLE.json: {"ann": {"sub": "…", "preferred_username": "…", "groups": ["…"], …}, …}; it is read at each sign-in.

import { readFileSync } from "node:fs";
import Provider from "oidc-provider";

const [port, people, ...redirects] = process.argv.slice(2);
const issuer = `http://localhost:${port}`;
const claimsOf = (name) => JSON.parse(readFileSync(people, "utf8"))[name];
const client = (id, more) => ({
  client_id: id,
  redirect_uris: redirects,
  response_types: ["code"],
  grant_types: ["authorization_code"],
  ...more,
});

const provider = new Provider(issuer, {
  clients: [
    client("wharfinger", { client_secret: "canary-client-secret-of-the-tests" }),
    client("other", { client_secret: "canary-client-secret-of-another" }),
    client("public", { token_endpoint_auth_method: "none" }),
  ],
  claims: { openid: ["sub"], profile: ["name", "preferred_username"], email: ["email"], groups: ["groups"] },
  scopes: ["openid", "profile", "email", "groups"],
  conformIdTokenClaims: process.env.CLAIMS === "userinfo",
  pkce: { required: () => true, methods: ["S256"] },
  features: { devInteractions: { enabled: false } },
  cookies: { keys: ["of the tests alone"] },
  ttl: { Session: 3600, Interaction: 600, Grant: 3600, AccessToken: 300, IdToken: 300, AuthorizationCode: 60 },
  interactions: { url: (_context, interaction) => `/interaction/${interaction.uid}` },
  findAccount: (_context, name) => ({ accountId: name, claims: () => ({ ...claimsOf(name) }) }),
  async loadExistingGrant(context) {
    const grant = new context.oidc.provider.Grant({
      clientId: context.oidc.client.clientId,
      accountId: context.oidc.session.accountId,
    });
    grant.addOIDCScope("openid profile email groups");
    await grant.save();
    return grant;
  },
});

const form = (uid) => `<!doctype html><title>The provider</title><form method="post" action="/interaction/${uid}">
<label>Name <input name="name"></label><button>Continue</button></form>`;

provider.use(async (context, next) => {
  if (!context.path.startsWith("/interaction/")) return next();
  const { uid } = await provider.interactionDetails(context.req, context.res);
  if (context.method === "GET") {
    context.type = "html";
    context.body = form(uid);
    return undefined;
  }
  let body = "";
  for await (const piece of context.req) body += piece;
  const accountId = new URLSearchParams(body).get("name");
  const result = claimsOf(accountId)
    ? { login: { accountId } }
    : { error: "access_denied", error_description: "nobody of that name" };
  context.redirect(await provider.interactionResult(context.req, context.res, result, { mergeWithLastSubmission: false }));
  return undefined;
});

provider.listen(Number(port), "127.0.0.1", () => console.log("ready"));
