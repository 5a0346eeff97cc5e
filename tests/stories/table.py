# SPDX-License-Identifier: Apache-2.0
"""Which page is there for whom: written by hand, one line for each, and held against every page that there is.

The columns: nobody · the manager of the deployment · the owner of the organization · a member of it, who may read one
repository · a stranger.

Y: the page. F: a file. S: to the page to sign in at. H: to the first page. N: it is not there. D: one may not.
B: 400, because passkeys need a registry with a name, and the one of these tests has only an address.
"""

EXPECTED = """
                                                             no ma ol ra sa
/                                                            Y  Y  Y  Y  Y
/search                                                      Y  Y  Y  Y  Y
/sign-in                                                     Y  H  H  H  H
/sign-in/with/{provider}                                     N  N  N  N  N
/sign-in/from/{provider}                                     N  N  N  N  N
/profile                                                     S  Y  Y  Y  Y
/trash                                                       Y  Y  Y  Y  Y
/trash/repositories/{number}                                 S  Y  Y  N  N
/trash/repositories/{number}/purge                           S  Y  Y  N  N
/repositories/{name}                                         N  Y  Y  Y  N
/repositories/{name}/-/trash/purge                           N  Y  Y  D  N
/repositories/{name}/-/tags/{tag}                            N  Y  Y  Y  N
/repositories/{name}/-/tags/{tag}/history                    N  Y  Y  Y  N
/repositories/{name}/-/tags/{tag}/restore                    N  Y  Y  D  N
/repositories/{name}/-/manifests/{digest}                    N  Y  Y  Y  N
/repositories/{name}/-/compare                               N  Y  Y  Y  N
/repositories/{name}/-/description                           N  Y  Y  Y  N
/repositories/{name}/-/description/edit                      N  Y  Y  D  N
/repositories/{name}/-/activity                              N  Y  Y  Y  N
/repositories/{name}/-/people                                N  Y  Y  D  N
/repositories/{name}/-/settings                              N  Y  Y  D  N
/repositories/{name}/-/settings/retention                    N  Y  Y  D  N
/repositories/{name}/-/delete                                N  Y  Y  D  N
/access                                                      S  Y  Y  Y  Y
/accounts/{owner}                                            Y  Y  Y  Y  Y
/organizations/new                                           S  Y  D  D  D
/accounts/{organization}/-/settings                          S  Y  Y  D  D
/accounts/{organization}/-/settings/deletion                 S  Y  Y  D  D
/accounts/{organization}/-/members                           S  Y  Y  Y  D
/accounts/{organization}/-/members/{user}/removal            S  Y  Y  D  D
/accounts/{organization}/-/teams                             S  Y  Y  Y  D
/accounts/{organization}/-/teams/{team}                      S  Y  Y  Y  D
/accounts/{organization}/-/teams/{team}/deletion             S  Y  Y  D  D
/accounts/{organization}/-/robots                            S  Y  Y  D  D
/accounts/{namespace}/-/access                               S  Y  Y  Y  N
/robots/{robot}                                              S  Y  Y  N  N
/robots/{robot}/deletion                                     S  Y  Y  N  N
/robots/{robot}/credentials/{number}/revocation              S  Y  Y  N  N
/repositories/{name}/-/trust                                 N  Y  Y  D  N
/repositories/{name}/-/trust/new                             N  Y  Y  D  N
/repositories/{name}/-/trust/{number}                        N  Y  Y  D  N
/repositories/{name}/-/trust/{number}/removal                N  Y  Y  D  N
/accounts/{namespace}/-/trust                                S  Y  Y  D  N
/accounts/{namespace}/-/trust/new                            S  Y  Y  D  N
/accounts/{namespace}/-/trust/{number}                       S  Y  Y  D  N
/accounts/{namespace}/-/trust/{number}/removal               S  Y  Y  D  N
/registries/{registry}/-/trust                               S  Y  N  N  N
/registries/{registry}/-/trust/new                           S  Y  N  N  N
/registries/{registry}/-/trust/{number}                      S  Y  N  N  N
/registries/{registry}/-/trust/{number}/removal              S  Y  N  N  N
/registries                                                  S  Y  Y  Y  Y
/registries/new                                              S  Y  D  D  D
/registries/{registry}                                       N  Y  Y  Y  Y
/registries/{registry}/-/people                              S  Y  N  N  N
/registries/{registry}/-/people/removal                      S  Y  N  N  N
/registries/{registry}/-/settings                            S  Y  N  N  N
/registries/{registry}/-/deletion                            S  Y  N  N  N
/sign-in/second-step                                         S  S  S  S  S
/sign-in/passkey                                             B  B  B  B  B
/profile/second-factor                                       S  Y  Y  Y  Y
/profile/second-factor/app                                   S  Y  Y  Y  Y
/profile/second-factor/passkey                               S  B  B  B  B
/profile/second-factor/codes                                 S  Y  Y  Y  Y
/profile/second-factor/{number}/remove                       S  N  N  N  N
/profile/password                                            S  Y  Y  Y  Y
/profile/tokens                                              S  Y  Y  Y  Y
/profile/tokens/new                                          S  Y  Y  Y  Y
/profile/tokens/{number}/revoke                              S  Y  N  N  N
/profile/stars                                               S  Y  Y  Y  Y
/profile/sessions                                            S  Y  Y  Y  Y
/administration                                              S  Y  D  D  D
/administration/content                                      S  Y  D  D  D
/administration/jobs                                         S  Y  D  D  D
/administration/settings                                     S  Y  D  D  D
/administration/sign-in                                      S  Y  D  D  D
/administration/storage                                      S  Y  D  D  D
/administration/collection                                   S  Y  D  D  D
/administration/verification                                 S  Y  D  D  D
/administration/verification/{registry}/{number}             S  Y  D  D  D
/administration/audit                                        S  Y  D  D  D
/administration/audit/export                                 S  F  D  D  D
/administration/users                                        S  Y  D  D  D
/administration/organizations                                S  Y  D  D  D
/administration/new-user                                     S  Y  D  D  D
/administration/users/{user}                                 S  Y  N  Y  N
/administration/users/{user}/second-factor                   S  Y  N  D  N
/administration/users/{user}/deletion                        S  Y  N  D  N
"""


def table():
    """Return the letters for each path."""
    rows = [line.split() for line in EXPECTED.strip("\n").splitlines()[1:] if line.strip()]
    return {path: "".join(letters) for path, *letters in rows}
