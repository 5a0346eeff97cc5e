# SPDX-License-Identifier: Apache-2.0
"""Who may use which endpoint: written by hand, one line for each, and held against every endpoint that there is.

The columns are people: nobody · stranger · reader, writer, admin of the repository · member, owner of the organization
· viewer, manager of the deployment · manager of the registry. After the bar, tokens of the manager with one scope each:
read, write, delete, admin:packages · admin:org, admin:registry.

Y: allowed. U: 401. D: 403. N: 404, because it may not know.
"""

PEOPLE = ("nobody", "sam", "rae", "wes", "ada", "mia", "oli", "vic", "max", "reg")
SCOPES = (
    "read:packages",
    "write:packages",
    "delete:packages",
    "admin:packages",
    "admin:org",
    "admin:registry",
)

EXPECTED = """
                                                         no  sa re we ad  mi ol  vi ma re   r w d p  o g
GET    /openapi.json                                     Y   Y  Y  Y  Y   Y  Y   Y  Y  Y    Y Y Y Y  Y Y
GET    /problems                                         Y   Y  Y  Y  Y   Y  Y   Y  Y  Y    Y Y Y Y  Y Y
GET    /problems/{problem}                               Y   Y  Y  Y  Y   Y  Y   Y  Y  Y    Y Y Y Y  Y Y
GET    /version                                          U   Y  Y  Y  Y   Y  Y   Y  Y  Y    Y Y Y Y  Y Y
GET    /access/explain                                   U   Y  Y  Y  Y   Y  Y   Y  Y  Y    Y Y Y Y  Y Y

GET    /me                                               U   Y  Y  Y  Y   Y  Y   Y  Y  Y    Y Y Y Y  Y Y
GET    /me/profile                                       U   Y  Y  Y  Y   Y  Y   Y  Y  Y    D D D D  Y D
PATCH  /me/profile                                       U   Y  Y  Y  Y   Y  Y   Y  Y  Y    D D D D  Y D
PUT    /me/password                                      U   Y  Y  Y  Y   Y  Y   Y  Y  Y    D D D D  Y D
GET    /me/organizations                                 U   Y  Y  Y  Y   Y  Y   Y  Y  Y    D D D D  Y D

GET    /users                                            U   D  D  D  D   D  D   Y  Y  D    D D D D  D Y
POST   /users                                            U   D  D  D  D   D  D   D  Y  D    D D D D  D Y
GET    /users/{user}                                     U   N  N  N  N   N  N   Y  Y  N    D D D D  D Y
PATCH  /users/{user}                                     U   N  N  N  N   N  N   D  Y  N    D D D D  D Y
DELETE /users/{user}                                     U   N  N  N  N   N  N   D  Y  N    D D D D  D Y
PUT    /users/{user}/password                            U   N  N  N  N   N  N   D  Y  N    D D D D  D Y
PUT    /users/{user}/suspension                          U   N  N  N  N   N  N   D  Y  N    D D D D  D Y
DELETE /users/{user}/suspension                          U   N  N  N  N   N  N   D  Y  N    D D D D  D Y
GET    /users/{user}/identities                          U   N  N  N  N   N  N   Y  Y  N    D D D D  D Y
POST   /users/{user}/identities                          U   N  N  N  N   N  N   D  Y  N    D D D D  D Y
DELETE /users/{user}/identities/{provider}               U   N  N  N  N   N  N   D  Y  N    D D D D  D Y

GET    /organizations                                    U   D  D  D  D   D  D   Y  Y  D    D D D D  D Y
POST   /organizations                                    U   D  D  D  D   D  D   D  Y  D    D D D D  D Y
GET    /organizations/{organization}                     U   Y  Y  Y  Y   Y  Y   Y  Y  Y    Y Y Y Y  Y Y
PATCH  /organizations/{organization}                     U   D  D  D  D   D  Y   D  Y  D    D D D D  Y D
DELETE /organizations/{organization}                     U   D  D  D  D   D  Y   D  Y  D    D D D D  Y D
PUT    /organizations/{organization}/suspension          U   D  D  D  D   D  D   D  Y  D    D D D D  Y D
DELETE /organizations/{organization}/suspension          U   D  D  D  D   D  D   D  Y  D    D D D D  Y D
GET    /organizations/{organization}/members             U   D  D  D  D   Y  Y   Y  Y  D    D D D D  Y D
PUT    /organizations/{organization}/members/{user}      U   D  D  D  D   D  Y   D  Y  D    D D D D  Y D
DELETE /organizations/{organization}/members/{user}      U   D  D  D  D   D  Y   D  Y  D    D D D D  Y D
GET    /organizations/{organization}/teams               U   D  D  D  D   Y  Y   Y  Y  D    D D D D  Y D
POST   /organizations/{organization}/teams               U   D  D  D  D   D  Y   D  Y  D    D D D D  Y D
GET    /organizations/{organization}/teams/{team}        U   D  D  D  D   Y  Y   Y  Y  D    D D D D  Y D
PATCH  /organizations/{organization}/teams/{team}        U   D  D  D  D   D  Y   D  Y  D    D D D D  Y D
DELETE /organizations/{organization}/teams/{team}        U   D  D  D  D   D  Y   D  Y  D    D D D D  Y D
GET    /organizations/{organization}/teams/{team}/members U  D  D  D  D   Y  Y   Y  Y  D    D D D D  Y D
PUT    /organizations/{organization}/teams/{team}/members/{user} \
                                                         U   D  D  D  D   D  Y   D  Y  D    D D D D  Y D
DELETE /organizations/{organization}/teams/{team}/members/{user} \
                                                         U   D  D  D  D   D  Y   D  Y  D    D D D D  Y D
GET    /organizations/{organization}/teams/{team}/grants U   D  D  D  D   Y  Y   Y  Y  D    D D D D  Y D
GET    /organizations/{organization}/teams/{team}/groups U   D  D  D  D   Y  Y   Y  Y  D    D D D D  Y D
POST   /organizations/{organization}/teams/{team}/groups U   D  D  D  D   D  Y   D  Y  D    D D D D  Y D
DELETE /organizations/{organization}/teams/{team}/groups U   D  D  D  D   D  Y   D  Y  D    D D D D  Y D
GET    /organizations/{organization}/single-sign-on      U   D  D  D  D   Y  Y   Y  Y  D    D D D D  Y D
PUT    /organizations/{organization}/single-sign-on      U   D  D  D  D   D  Y   D  Y  D    D D D D  Y D
DELETE /organizations/{organization}/single-sign-on      U   D  D  D  D   D  Y   D  Y  D    D D D D  Y D
GET    /organizations/{organization}/robots              U   D  D  D  D   D  Y   Y  Y  D    D D D D  Y D
POST   /organizations/{organization}/robots              U   D  D  D  D   D  Y   D  Y  D    D D D D  Y D

GET    /robots/{robot}                                   U   N  N  N  N   N  Y   Y  Y  N    D D D D  Y D
PATCH  /robots/{robot}                                   U   N  N  N  N   N  Y   D  Y  N    D D D D  Y D
DELETE /robots/{robot}                                   U   N  N  N  N   N  Y   D  Y  N    D D D D  Y D
PUT    /robots/{robot}/suspension                        U   N  N  N  N   N  Y   D  Y  N    D D D D  Y D
DELETE /robots/{robot}/suspension                        U   N  N  N  N   N  Y   D  Y  N    D D D D  Y D
GET    /accounts/{account}/credentials                   U   N  N  N  N   N  Y   Y  Y  N    D D D D  Y D
POST   /accounts/{account}/credentials                   U   N  N  N  N   N  Y   D  Y  N    D D D D  Y D
DELETE /accounts/{account}/credentials                   U   N  N  N  N   N  Y   D  Y  N    D D D D  Y D
DELETE /accounts/{account}/credentials/{credential}      U   N  N  N  N   N  Y   D  Y  N    D D D D  Y D
GET    /accounts/{account}/single-sign-on                U   N  N  N  N   N  Y   Y  Y  N    D D D D  Y D
PUT    /accounts/{account}/credentials/{credential}/authorizations/{organization} \
                                                         U   N  N  N  N   N  Y   D  Y  N    D D D D  Y D
DELETE /accounts/{account}/credentials/{credential}/authorizations/{organization} \
                                                         U   N  N  N  N   N  Y   D  Y  N    D D D D  Y D
GET    /accounts/{account}/grants                        U   N  N  N  N   N  Y   Y  Y  N    D D D D  Y D

GET    /events                                           U   D  D  D  D   D  D   Y  Y  D    D D D D  D Y
GET    /events/export                                    U   D  D  D  D   D  D   Y  Y  D    D D D D  D Y
GET    /organizations/{organization}/events              U   D  D  D  D   D  Y   Y  Y  D    D D D D  Y D
GET    /repositories/{name}/-/events                     U   N  D  D  Y   N  Y   D  Y  Y    D D D Y  D D
GET    /repositories/{name}/-/trust-rules                U   N  D  D  Y   N  Y   D  Y  Y    D D D Y  D D
POST   /repositories/{name}/-/trust-rules                U   N  D  D  Y   N  Y   D  Y  Y    D D D Y  D D
DELETE /repositories/{name}/-/trust-rules/{rule}         U   N  D  D  Y   N  Y   D  Y  Y    D D D Y  D D
GET    /namespaces/{namespace}/trust-rules               U   N  N  N  N   D  Y   D  Y  Y    D D D D  Y D
POST   /namespaces/{namespace}/trust-rules               U   N  N  N  N   D  Y   D  Y  Y    D D D D  Y D
DELETE /namespaces/{namespace}/trust-rules/{rule}        U   N  N  N  N   D  Y   D  Y  Y    D D D D  Y D
GET    /registries/{registry}/trust-rules                U   N  N  N  N   N  N   Y  Y  Y    D D D D  D Y
POST   /registries/{registry}/trust-rules                U   N  N  N  N   N  N   D  Y  Y    D D D D  D Y
DELETE /registries/{registry}/trust-rules/{rule}         U   N  N  N  N   N  N   D  Y  Y    D D D D  D Y

GET    /deployment                                       U   D  D  D  D   D  D   Y  Y  D    D D D D  D Y
GET    /deployment/settings                              U   D  D  D  D   D  D   Y  Y  D    D D D D  D Y
GET    /deployment/grants                                U   D  D  D  D   D  D   Y  Y  D    D D D D  D Y
PUT    /deployment/grants/{subject}                      U   D  D  D  D   D  D   D  Y  D    D D D D  D Y
DELETE /deployment/grants/{subject}                      U   D  D  D  D   D  D   D  Y  D    D D D D  D Y
GET    /registries                                       U   D  D  D  D   D  D   Y  Y  D    D D D D  D Y
POST   /registries                                       U   D  D  D  D   D  D   D  Y  D    D D D D  D Y
DELETE /registries/{registry}                            U   N  N  N  N   N  N   D  Y  D    D D D D  D Y
GET    /registries/{registry}/contents                   U   N  N  N  N   N  N   Y  Y  Y    D D D D  D Y
GET    /deployment/content                               U   D  D  D  D   D  D   Y  Y  D    D D D D  D Y
PUT    /deployment/content                               U   D  D  D  D   D  D   D  Y  D    D D D D  D Y
GET    /storages                                         U   D  D  D  D   D  D   Y  Y  D    D D D D  D Y
GET    /registries/{registry}                            U   N  N  N  N   N  N   Y  Y  Y    D D D D  D Y
PATCH  /registries/{registry}                            U   N  N  N  N   N  N   D  Y  Y    D D D D  D Y
GET    /registries/{registry}/grants                     U   N  N  N  N   N  N   Y  Y  Y    D D D D  D Y
PUT    /registries/{registry}/grants/{subject}           U   N  N  N  N   N  N   D  Y  Y    D D D D  D Y
DELETE /registries/{registry}/grants/{subject}           U   N  N  N  N   N  N   D  Y  Y    D D D D  D Y
GET    /registries/{registry}/robots                     U   N  N  N  N   N  N   Y  Y  Y    D D D D  D Y
POST   /registries/{registry}/robots                     U   N  N  N  N   N  N   D  Y  Y    D D D D  D Y
GET    /registries/{registry}/namespaces                 U   N  N  N  N   N  N   Y  Y  Y    D D D D  D Y
GET    /namespaces/{namespace}                           U   N  N  N  N   Y  Y   Y  Y  Y    D D D D  Y D
PATCH  /namespaces/{namespace}                           U   N  N  N  N   D  Y   D  Y  Y    D D D D  Y D
GET    /namespaces/{namespace}/grants                    U   N  N  N  N   Y  Y   Y  Y  Y    D D D D  Y D
PUT    /namespaces/{namespace}/grants/{subject}          U   N  N  N  N   D  Y   D  Y  Y    D D D D  Y D
DELETE /namespaces/{namespace}/grants/{subject}          U   N  N  N  N   D  Y   D  Y  Y    D D D D  Y D

GET    /repositories                                     Y   Y  Y  Y  Y   Y  Y   Y  Y  Y    Y Y Y Y  D D
GET    /search                                           Y   Y  Y  Y  Y   Y  Y   Y  Y  Y    Y Y Y Y  D D
GET    /repositories/{name}                              U   N  Y  Y  Y   N  Y   Y  Y  Y    Y Y Y Y  D D
PATCH  /repositories/{name}                              U   N  D  Y  Y   N  Y   D  Y  Y    D D D Y  D D
DELETE /repositories/{name}                              U   N  D  D  Y   N  Y   D  Y  Y    D D D Y  D D
GET    /repositories/{name}/-/usage                      U   N  Y  Y  Y   N  Y   Y  Y  Y    Y Y Y Y  D D
GET    /repositories/{name}/-/tags                       U   N  Y  Y  Y   N  Y   Y  Y  Y    Y Y Y Y  D D
GET    /repositories/{name}/-/tags/{tag}                 U   N  Y  Y  Y   N  Y   Y  Y  Y    Y Y Y Y  D D
DELETE /repositories/{name}/-/tags/{tag}                 U   N  D  D  Y   N  Y   D  Y  Y    D D Y Y  D D
GET    /repositories/{name}/-/manifests                  U   N  Y  Y  Y   N  Y   Y  Y  Y    Y Y Y Y  D D
GET    /repositories/{name}/-/manifests/{digest}         U   N  Y  Y  Y   N  Y   Y  Y  Y    Y Y Y Y  D D
GET    /repositories/{name}/-/manifests/{digest}/referrers \
                                                         U   N  Y  Y  Y   N  Y   Y  Y  Y    Y Y Y Y  D D
GET    /repositories/{name}/-/compare                    U   N  Y  Y  Y   N  Y   Y  Y  Y    Y Y Y Y  D D
DELETE /repositories/{name}/-/manifests/{digest}         U   N  D  D  Y   N  Y   D  Y  Y    D D Y Y  D D
POST   /repositories/{name}/-/manifests/{digest}/restore U   N  D  D  Y   N  Y   D  Y  Y    D D Y Y  D D
GET    /repositories/{name}/-/tags/{tag}/history         U   N  Y  Y  Y   N  Y   Y  Y  Y    Y Y Y Y  D D
POST   /repositories/{name}/-/tags/{tag}/restore         U   N  D  D  Y   N  Y   D  Y  Y    D D Y Y  D D
GET    /repositories/{name}/-/history                    U   N  Y  Y  Y   N  Y   Y  Y  Y    Y Y Y Y  D D
GET    /repositories/{name}/-/newest-tags                U   N  Y  Y  Y   N  Y   Y  Y  Y    Y Y Y Y  D D
POST   /repositories/{name}/-/delete-tags                U   N  D  D  Y   N  Y   D  Y  Y    D D Y Y  D D
GET    /repositories/{name}/-/description                U   N  Y  Y  Y   N  Y   Y  Y  Y    Y Y Y Y  D D
PUT    /repositories/{name}/-/description                U   N  D  Y  Y   N  Y   D  Y  Y    D D D Y  D D
GET    /repositories/{name}/-/stars                      U   N  Y  Y  Y   N  Y   Y  Y  Y    Y Y Y Y  D D
GET    /repositories/{name}/-/people                     U   N  D  D  Y   N  Y   D  Y  Y    D D D Y  D D
GET    /repositories/{name}/-/activity                   U   N  Y  Y  Y   N  Y   Y  Y  Y    Y Y Y Y  D D
GET    /me/stars                                         U   Y  Y  Y  Y   Y  Y   Y  Y  Y    D D D D  Y D
PUT    /repositories/{name}/-/star                       U   N  Y  Y  Y   N  Y   Y  Y  Y    Y Y Y Y  D D
DELETE /repositories/{name}/-/star                       U   N  Y  Y  Y   N  Y   Y  Y  Y    Y Y Y Y  D D
GET    /repositories/{name}/-/pulls                      U   N  Y  Y  Y   N  Y   Y  Y  Y    Y Y Y Y  D D
GET    /repositories/{name}/-/pulls/by-name              U   N  Y  Y  Y   N  Y   Y  Y  Y    Y Y Y Y  D D
GET    /repositories/{name}/-/pulls/by-day               U   N  Y  Y  Y   N  Y   Y  Y  Y    Y Y Y Y  D D
GET    /repositories/{name}/-/retention                  U   N  Y  Y  Y   N  Y   Y  Y  Y    Y Y Y Y  D D
PUT    /repositories/{name}/-/retention                  U   N  D  D  Y   N  Y   D  Y  Y    D D D Y  D D
DELETE /repositories/{name}/-/retention                  U   N  D  D  Y   N  Y   D  Y  Y    D D D Y  D D
POST   /repositories/{name}/-/retention/preview          U   N  D  D  Y   N  Y   D  Y  Y    D D D Y  D D
POST   /repositories/{name}/-/retention/run              U   N  D  D  Y   N  Y   D  Y  Y    D D D Y  D D
GET    /namespaces/{namespace}/retention                 U   N  N  N  N   Y  Y   Y  Y  Y    D D D D  Y D
PUT    /namespaces/{namespace}/retention                 U   N  N  N  N   D  Y   D  Y  Y    D D D D  Y D
DELETE /namespaces/{namespace}/retention                 U   N  N  N  N   D  Y   D  Y  Y    D D D D  Y D
GET    /repositories/{name}/-/trash                      U   N  D  D  Y   N  Y   D  Y  Y    D D Y Y  D D
POST   /repositories/{name}/-/trash/{digest}/restore     U   N  D  D  Y   N  Y   D  Y  Y    D D Y Y  D D
DELETE /repositories/{name}/-/trash/{digest}             U   N  D  D  Y   N  Y   D  Y  Y    D D Y Y  D D
GET    /registries/{registry}/trash                      U   N  N  N  N   N  N   Y  Y  Y    D D D D  D Y
GET    /trash/repositories                               Y   Y  Y  Y  Y   Y  Y   Y  Y  Y    Y Y Y Y  D D
GET    /trash/repositories/{number}                      U   N  D  D  Y   N  Y   D  Y  Y    D D D Y  D D
POST   /trash/repositories/{number}/restore              U   N  D  D  Y   N  Y   D  Y  Y    D D D Y  D D
DELETE /trash/repositories/{number}                      U   N  D  D  Y   N  Y   D  Y  Y    D D D Y  D D
GET    /repositories/{name}/-/savings                    U   N  D  D  Y   N  Y   D  Y  Y    D D Y Y  D D
GET    /repositories/{name}/-/tags/{tag}/savings         U   N  D  D  Y   N  Y   D  Y  Y    D D Y Y  D D
GET    /repositories/{name}/-/manifests/{digest}/savings U   N  D  D  Y   N  Y   D  Y  Y    D D Y Y  D D
GET    /collection                                       U   D  D  D  D   D  D   Y  Y  D    D D D D  D Y
POST   /collection/rounds                                U   D  D  D  D   D  D   D  Y  D    D D D D  D Y
GET    /jobs                                             U   D  D  D  D   D  D   Y  Y  D    D D D D  D Y
POST   /jobs/{job}/run                                   U   D  D  D  D   D  D   D  Y  D    D D D D  D Y
GET    /registries/{registry}/storage                    U   N  N  N  N   N  N   Y  Y  Y    D D D D  D Y
GET    /registries/{registry}/storage/repositories       U   N  N  N  N   N  N   Y  Y  Y    D D D D  D Y
GET    /registries/{registry}/figures                    U   N  N  N  N   N  N   Y  Y  Y    D D D D  D Y
GET    /registries/{registry}/verifications              U   N  N  N  N   N  N   Y  Y  Y    D D D D  D Y
POST   /registries/{registry}/verifications              U   N  N  N  N   N  N   D  Y  Y    D D D D  D Y
GET    /registries/{registry}/verifications/{run}        U   N  N  N  N   N  N   Y  Y  Y    D D D D  D Y
POST   /registries/{registry}/verifications/{run}/stop   U   N  N  N  N   N  N   D  Y  Y    D D D D  D Y
GET    /registries/{registry}/verifications/{run}/findings U N  N  N  N   N  N   Y  Y  Y    D D D D  D Y
PUT    /repositories/{name}/-/trust-rules/{rule}/keys    U   N  D  D  Y   N  Y   D  Y  Y    D D D Y  D D
PUT    /namespaces/{namespace}/trust-rules/{rule}/keys   U   N  N  N  N   D  Y   D  Y  Y    D D D D  Y D
PUT    /registries/{registry}/trust-rules/{rule}/keys    U   N  N  N  N   N  N   D  Y  Y    D D D D  D Y
POST   /repositories/{name}/-/trust-rules/test           U   N  D  D  Y   N  Y   D  Y  Y    D D D Y  D D
POST   /namespaces/{namespace}/trust-rules/test          U   N  N  N  N   D  Y   D  Y  Y    D D D D  Y D
POST   /registries/{registry}/trust-rules/test           U   N  N  N  N   N  N   D  Y  Y    D D D D  D Y
GET    /repositories/{name}/-/grants                     U   N  D  D  Y   N  Y   D  Y  Y    D D D Y  D D
PUT    /repositories/{name}/-/grants/{subject}           U   N  D  D  Y   N  Y   D  Y  Y    D D D Y  D D
DELETE /repositories/{name}/-/grants/{subject}           U   N  D  D  Y   N  Y   D  Y  Y    D D D Y  D D
"""


def table():
    """Return {(method, path): {person or scope: letter}}."""
    found = {}
    for line in EXPECTED.replace("\\\n", " ").splitlines():
        words = line.split()
        if len(words) == 2 + len(PEOPLE) + len(SCOPES):
            method, path, *letters = words
            assert (method, path) not in found
            found[method, path] = dict(zip(PEOPLE + SCOPES, letters, strict=True))
    return found
