# SPDX-License-Identifier: Apache-2.0
"""The registry of a small company, as the pictures of the guide show it: months old, and in one language."""

import gzip
import random
from functools import partial

import httpx

from tests.console.registry import push, requests
from tests.stories.town import PASSWORD, Town, opened
from tests.support.images import (
    EPOCH,
    Blob,
    Image,
    artifact,
    as_json,
    digest_of,
    image,
    index,
    manifest_document,
    noise,
)
from wharfinger.clock import DAY, HOUR, Clock
from wharfinger.domain.access import Role, Visibility
from wharfinger.domain.accounts import AccountName, MemberRole, TeamName
from wharfinger.domain.forges import Code, Wish, github
from wharfinger.domain.grants import DEPLOYMENT, Place
from wharfinger.domain.identity import SYSTEM_ACTOR
from wharfinger.domain.names import RegistryName, RepositoryName
from wharfinger.services.accounts import AccountChange
from wharfinger.services.repositories import RepositoryChange

HOST = "registry.example.com"
WORDS = {
    "en": {
        "acme/web": "The shop's web server",
        "acme/api": "Orders, stock and payments over HTTP",
        "acme/worker": "Sends mails and invoices",
        "acme/postgres": "PostgreSQL with our extensions",
        "tools/build": "What our builds run in",
        "acme": "Acme shop",
        "web": "Whoever changes the web server",
        "ann": "Ann Park",
        "bob": "Bob Lee",
        "laptop": "laptop",
        "cluster": "shop cluster",
        "ci": "builds and pushes",
        "full": """\
# The shop's web server

Serves the pages of the shop on port **8080**, and asks `acme/api` for what is in stock.

```sh
docker run --rm -p 8080:8080 registry.example.com/acme/web:2.1
```

| variable | meaning |
| --- | --- |
| `API_URL` | where `acme/api` answers |
| `CACHE_SECONDS` | how long pages are kept; 60 unless set |

- for `linux/amd64` and `linux/arm64`
- runs as a user without rights
""",
    },
    "ko": {
        "acme/web": "쇼핑몰 웹 서버",
        "acme/api": "주문, 재고, 결제 HTTP API",
        "acme/worker": "메일과 청구서 발송",
        "acme/postgres": "사내 확장을 더한 PostgreSQL",
        "tools/build": "빌드가 도는 환경",
        "acme": "에이크미 쇼핑몰",
        "web": "웹 서버를 바꾸는 사람들",
        "ann": "박안나",
        "bob": "이보배",
        "laptop": "노트북",
        "cluster": "쇼핑몰 클러스터",
        "ci": "빌드하고 푸시하는 로봇",
        "full": """\
# 쇼핑몰 웹 서버

**8080** 포트에서 쇼핑몰 페이지를 보여 주고, 재고는 `acme/api`에 묻습니다.

```sh
docker run --rm -p 8080:8080 registry.example.com/acme/web:2.1
```

| 변수 | 뜻 |
| --- | --- |
| `API_URL` | `acme/api`의 주소 |
| `CACHE_SECONDS` | 페이지를 보관하는 시간(초). 정하지 않으면 60 |

- `linux/amd64`와 `linux/arm64`용
- 권한 없는 사용자로 실행
""",
    },
}
_STEPS = (
    ("/bin/sh -c #(nop) ADD file:5d4c9f in /", 90_000, "etc/base"),
    ("RUN /bin/sh -c apk add --no-cache nginx ca-certificates", 40_000, "usr/sbin/nginx"),
    ("COPY ./pages /srv/pages # buildkit", 12_000, "srv/pages"),
)
_DAYS = 89
_AGES = {"acme/web": 3, "acme/api": 27, "acme/worker": 150, "acme/postgres": 420, "tools/build": 980}
"""For how many hours nothing changed."""
_PULLS = {"acme/web": 40, "acme/api": 28, "acme/postgres": 15, "acme/worker": 4}
"""How often they are pulled on a day, at the least."""
_PULLED = "INSERT INTO pulls (repository_id, what, day, count, last_at) VALUES (:r, :w, :d, :c, 0)"
_HELD = (
    "INSERT INTO figures (registry_id, day, bytes, blobs, repositories, pulls, taken_at)"
    " VALUES (:g, :d, :b, :n, 5, :p, 0)"
)


def open_shop(folder, language):
    """Open such a registry, whose words are in one language."""
    return opened(
        folder,
        partial(_furnish, language),
        REGISTRY_HTTP_HOST=f"https://{HOST}",
        REGISTRY_STORAGES_0_NAME="team",
        REGISTRY_STORAGES_1_NAME="archive",
        REGISTRY_STORAGES_1_ROOTDIRECTORY=str(folder / "archive"),
        REGISTRY_REGISTRIES_PUBLICDOMAIN=HOST,
        REGISTRY_REGISTRIES_PRIVATEDOMAIN=f"in.{HOST}",
        REGISTRY_REGISTRIES_PRIVATENETWORKS_0="10.0.0.0/8",
    )


def built(name, version, architecture="amd64"):
    """Return an image whose layers say which commands made them; the first two are those of every version."""
    contents = [{path: noise(f"{path} of {name}", size)} for _, size, path in _STEPS[:2]]
    _, size, path = _STEPS[2]
    one = image(f"{name} {version} {architecture}", layers=[*contents, {path: noise(f"{name} {version}", size)}])
    config = as_json(
        {
            "architecture": architecture,
            "os": "linux",
            "created": EPOCH,
            "config": {
                "Cmd": ["/usr/sbin/nginx", "-g", "daemon off;"],
                "Env": ["PATH=/usr/sbin:/usr/bin:/bin", f"VERSION={version}", "API_URL=http://api:8080"],
                "ExposedPorts": {"8080/tcp": {}},
                "User": "1000:1000",
                "WorkingDir": "/srv",
                "Labels": {
                    "org.opencontainers.image.source": f"https://github.com/{name}",
                    "org.opencontainers.image.version": version,
                },
            },
            "rootfs": {"type": "layers", "diff_ids": _diff_ids(one)},
            "history": [{"created": EPOCH, "created_by": command} for command, _, _ in _STEPS],
        }
    )
    blob = Blob(config, one.config.media_type)
    manifest = manifest_document(one.manifest.media_type, blob, one.layers)
    return Image(manifest, blob, one.layers, (("architecture", architecture), ("os", "linux")))


def _diff_ids(one):
    return [digest_of(gzip.decompress(layer.content)) for layer in one.layers]


def _furnish(language, server, office, http):
    """Put a company into an empty registry."""
    shop = Town(server, office, http)
    words, run, services = WORDS[language], office._run, office.services
    for name in ("ann", "bob", "carol", "dan"):
        office.user(name, PASSWORD)
        known = AccountChange(display_name=words.get(name), email=f"{name}@example.com", language=language)
        run(services.accounts.change(AccountName(name), known, SYSTEM_ACTOR))
    run(services.grants.give(AccountName("ann"), DEPLOYMENT, Role.ADMIN, SYSTEM_ACTOR))
    office.organization("acme", "ann")
    run(services.accounts.change(AccountName("acme"), AccountChange(display_name=words["acme"]), SYSTEM_ACTOR))
    for name in ("bob", "carol"):
        run(services.organizations.put_member(AccountName("acme"), AccountName(name), MemberRole.MEMBER, SYSTEM_ACTOR))
    team = TeamName(AccountName("acme"), "web")
    run(services.organizations.create_team(team, SYSTEM_ACTOR, description=words["web"]))
    for name in ("bob", "carol"):
        run(services.organizations.join_team(team, AccountName(name), SYSTEM_ACTOR))
    run(services.accounts.change(office.robot("acme+ci").name, AccountChange(description=words["ci"]), SYSTEM_ACTOR))
    office.key("acme+ci", "write:packages", days=90, name="main")
    office.token("ann", "write:packages", days=90, name=words["laptop"])
    office.key("ann", "read:packages", days=366, name=words["cluster"])
    _push(shop)
    _describe(shop, words)
    _trust(shop)
    run(services.authorization.mode())  # accounts switch deletion on
    for name in ("acme/prototype", "tools/old"):
        run(services.repositories.delete(office.registry, RepositoryName(name), SYSTEM_ACTOR))
    run(services.verification.order(office.registry, SYSTEM_ACTOR))
    run(services.lifecycle.create(RegistryName("team"), "team", SYSTEM_ACTOR))
    with httpx.Client(base_url=server.url, headers={"Host": f"team.{HOST}"}, auth=("ann", PASSWORD)) as team:
        for name in ("photos/resize", "photos/store"):
            for method, path, content, kind in requests(name, built(name, "0.9.1"), "0.9.1", "latest"):
                team.request(method, path, content=content, headers={"Content-Type": kind}).raise_for_status()
    run(services.figures.take())
    _grow_old(office)
    return shop


def _push(shop):
    auth = ("ann", PASSWORD)
    put = partial(push, shop.url, auth=auth)
    for version in ("2.0.2", "2.0.3"):
        put("acme/web", built("acme/web", version), version)
    newest = index([built("acme/web", "2.1.0", machine) for machine in ("amd64", "arm64")])
    put("acme/web", newest, "2.1.0", "2.1", "latest")
    signature = artifact(b"{}", kind="application/vnd.dev.cosign.artifact.sig.v1+json", subject=newest)
    bill = artifact(b'{"spdxVersion": "SPDX-2.3"}', kind="application/spdx+json", subject=newest)
    for attached in (signature, bill):
        put("acme/web", attached)
    put("acme/web", built("acme/web", "2.2.0-rc.1"), "edge")
    for name in ("acme/prototype", "tools/old", "tools/build", "acme/postgres", "acme/worker", "acme/api"):
        put(name, built(name, "1.4.0"), "1.4.0", "latest")


def _describe(shop, words):
    services, registry = shop.services, shop.office.registry
    for name, visibility in (
        ("acme/web", Visibility.INTERNAL),
        ("acme/api", Visibility.PRIVATE),
        ("acme/worker", Visibility.PRIVATE),
        ("acme/postgres", Visibility.PUBLIC),
        ("tools/build", Visibility.INTERNAL),
    ):
        change = RepositoryChange(description=words[name], visibility=visibility)
        shop.run(services.repositories.change(registry, RepositoryName(name), change, SYSTEM_ACTOR))
    web = RepositoryName("acme/web")
    change = RepositoryChange(immutable_tags="*.*.*")
    shop.run(services.repositories.change(registry, web, change, SYSTEM_ACTOR))
    shop.run(services.descriptions.change(registry, web, words["full"], SYSTEM_ACTOR))
    shop.office.give("dan", "read", repository="acme/web")
    shop.office.give("acme/web", "write", repository="acme/web")
    shop.office.give("acme+ci", "write", namespace="acme")


def _trust(shop):
    wish = Wish(audience=HOST, place=Place(registry_id=shop.office.registry.id, namespace="acme"))
    shop.run(shop.services.trust.create(github(Code(path="acme"), wish), SYSTEM_ACTOR))


def _grow_old(office):
    """Give the registry three months that it did not have."""
    today, chance = Clock().now() // DAY, random.Random(5)
    ids = dict(office.rows("SELECT name, id FROM repositories WHERE deleted_at IS NULL"))
    for name, hours in _AGES.items():
        for column, table, row in (("changed_at", "repositories", "id"), ("moved_at", "tags", "repository_id")):
            office.execute(f"UPDATE {table} SET {column} = {column} - :s WHERE {row} = :r", s=hours * HOUR, r=ids[name])
    for tag, days in (("2.0.2", 61), ("2.0.3", 25), ("2.1.0", 4), ("2.1", 4), ("latest", 4)):
        office.execute("UPDATE tags SET moved_at = moved_at - :s WHERE name = :t", s=days * DAY, t=tag)
    for name, share in _PULLS.items():
        total = 0
        for day in range(_DAYS):
            count = (share + chance.randrange(share) + day) // (3 if (today + day) % 7 < 2 else 1)
            total += count
            for what, part in (("", 1), ("latest", 2), ("2.1", 3), ("2.0.3", 9)):
                office.execute(_PULLED, r=ids[name], w=what, d=today - _DAYS + day, c=count // part)
        office.execute("UPDATE repository_figures SET pulls = :p WHERE repository_id = :r", p=total, r=ids[name])
    registry = office.registry.id
    ((size, blobs),) = office.rows("SELECT bytes, blobs FROM figures WHERE registry_id = :r", r=registry)
    for day in range(_DAYS):
        part, pulls = 60 + day // 3, 90 + 2 * day + chance.randrange(40)
        values = {"b": size * part // 100, "n": blobs * part // 100, "p": pulls}
        office.execute(_HELD, g=registry, d=today - _DAYS + day, **values)
