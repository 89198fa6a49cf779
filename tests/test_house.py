"""The page of the house is the tree, and its floors are the contract's."""

import tomllib

import house


def test_the_page_is_the_tree() -> None:
    """`python tests/house.py > docs/house.md` makes it."""
    assert (house.ROOT / "docs" / "house.md").read_text(encoding="utf-8") == house.page()


def test_the_floors_are_those_of_the_contract() -> None:
    """Every room of worker/ stands on one floor, as pyproject.toml has it."""
    contracts = tomllib.loads((house.ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]
    (layers,) = [contract["layers"] for contract in contracts["contracts"] if contract["id"] == "floors"]
    floors = [tuple(layer.split(" | ")) for layer in layers if layer not in {"__main__", "errors"}]
    assert floors == list(house.FLOORS)
    folders = {path.parent.name for path in (house.ROOT / "worker").glob("*/__init__.py")}
    assert folders == {room for floor in floors for room in floor}
