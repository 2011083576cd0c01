from __future__ import annotations


def test_pages(house):
    for role in house.people:
        b = house.signed_in(role)
        for place in (
            "/",
            "/account",
            "/people",
            "/keys",
            "/banks",
            "/feeds",
            "/policies",
            "/policies/1",
            "/chain",
            "/set-up",
            "/nowhere",
            "/sign-in",
        ):
            r = b.get(place)
            print(role, place, r.status_code, len(r.content))
            assert r.status_code in (200, 403, 404, 303), house.log.getvalue()[-900:]
    print(house.log.getvalue()[-2000:])
