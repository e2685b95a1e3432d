"""Every page: readable for everybody, and on every width."""

import pytest
from axe_playwright_python.sync_playwright import Axe

from tests.support.console import a_nasty_execution, a_parked_one, ended


@pytest.fixture(scope="module")
def paths(atom, url, tmp_path_factory):
    """All there are, each with something on it."""
    order = atom.platform.run(
        f"{atom.url}/fs/Orders",
        "Fulfil",
        {
            "Order Number": "A-1",
            "Customer": {"Name": "Ada"},
            "Lines": [{"Sku": "LAMP-1", "Quantity": 1}, {"Sku": "CABLE-9", "Quantity": 2}],
        },
    )
    atom.platform.install(f"{atom.url}/fs/Contacts")
    atom.platform.install(f"{atom.url}/fs/Documents")
    failed = ended(atom, atom.run("Break"))
    a_parked_one(atom)
    nasty = a_nasty_execution(atom)
    lines = str(tmp_path_factory.mktemp("lasting") / "lines")
    squares = atom.run("Squares", {"Count": 40, "File": lines}, service="Lasting")
    service, contacts = f"{atom.url}/fs/Orders", f"{atom.url}/fs/Contacts"
    return [
        *("/", "/inbox", "/executions", "/executions?since=nonsense&state=none", "/services"),
        f"/executions/{ended(atom, order).id}",
        f"/executions/{failed.id}",
        f"/executions/{ended(atom, squares).id}",
        f"/executions/{nasty}",
        *("/services/Orders", "/services/Contacts", "/nothing", "/try"),
        f"/try/service?url={service}",
        f"/try/service?url={contacts}",
        f"/try/action?url={service}&action=Fulfil",
        f"/try/flows/{order.id}",
        f"/try/data?url={contacts}&type=Contact&column0=Name&value0=x&criteria0=EQUAL",
        f"/try/files?url={atom.url}/fs/Documents&path=/file",
    ]


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1200, 400])
def test_no_page_keeps_anybody_out(page, paths, theme, width):
    page.emulate_media(color_scheme=theme)
    page.set_viewport_size({"width": width, "height": 900})
    axe, found = Axe(), []
    for path in paths:
        page.goto(path)
        page.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true })")
        for each in axe.run(page).response["violations"]:
            places = [node["target"] for node in each["nodes"]]
            found.append((path, each["id"], each["help"], places[:3]))
        if page.evaluate("document.documentElement.scrollWidth") > width:
            found.append((path, "is wider than the window"))
    assert found == []
    # That there is no such page is what one of them says.
    assert [each for each in page.wrong if "404" not in each] == []
    page.wrong.clear()
