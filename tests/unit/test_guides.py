"""Guides are followed block by block, and a block that nobody follows is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.guides import GuidePage, GuideWalk, blocks_of
from tests.support.processes import wait_for

PAGE = """
# A page

## First

```sh
echo one > told
cat line.toml
```

<!-- needs: device -->
```sh
false
```

```text
what is shown
```

## Second

```toml
host = "10.0.0.1"
```

```python
print(open("line.toml").read())
```
"""


def walk(folder: Path, section: str, **instead: str) -> GuideWalk:
    return GuideWalk([one for one in blocks_of(PAGE) if one.section == section], folder, {}, instead)


def test_blocks_are_done_in_their_order_and_what_needs_something_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "line.toml").write_text("here")
    one = walk(tmp_path, "First")
    assert one.run() == "here"
    assert (tmp_path / "told").read_text() == "one\n"
    one.require_done()


def test_words_of_the_page_are_replaced_and_a_file_is_written(tmp_path: Path) -> None:
    two = GuideWalk(
        [one for one in blocks_of(PAGE) if one.section == "Second"], tmp_path, {}, {"10.0.0.1": "127.0.0.1"}
    )
    two.file("line.toml")
    assert two.run() == 'host = "127.0.0.1"\n\n'
    two.require_done()


def test_a_block_that_was_not_followed_a_failure_and_a_word_that_is_gone_are_told(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="not followed: First"):
        walk(tmp_path, "First").require_done()
    with pytest.raises(AssertionError, match="No such file"):
        walk(tmp_path, "First").run()
    with pytest.raises(AssertionError, match="the next block is toml"):
        walk(tmp_path, "Second").run()
    gone = walk(tmp_path, "First", absent="x")
    (tmp_path / "line.toml").touch()
    gone.run()
    with pytest.raises(AssertionError, match="absent"):
        gone.require_done()


def test_a_fence_without_a_language_is_refused() -> None:
    with pytest.raises(AssertionError, match="no language"):
        blocks_of("## A\n\n```\nls\n```\n")


def test_what_runs_in_a_terminal_is_stopped_with_the_walk(tmp_path: Path) -> None:
    one = GuideWalk(blocks_of("## A\n\n```sh\necho up; sleep 100\n```\n"), tmp_path, {}, {})
    terminal = one.start()
    wait_for(lambda: terminal.said == "up\n", "the block runs")
    one.close()
    assert terminal.process.poll() is not None


@pytest.mark.parametrize(
    ("command", "says"),
    [
        ("pip install 'linewarden[cameras]'", None),
        ("pip install 'linewarden[camera]'", "no extra camera"),
        ("sudo apt-get install no-such-package", "no packages found matching no-such-package"),
        ("sudo reboot", "nobody knows"),
    ],
)
def test_what_is_to_be_installed_is_looked_for(tmp_path: Path, command: str, says: str | None) -> None:
    one = GuideWalk(blocks_of(f"## A\n\n```sh\n{command}\n```\n"), tmp_path, {}, {})
    if says is None:
        one.run()
        return
    with pytest.raises(AssertionError, match=says):
        one.run()


def test_a_section_that_no_test_follows_and_another_count_of_needs_are_told() -> None:
    page = GuidePage("docs/guides/connect-a-camera.md")
    with pytest.raises(AssertionError, match="nobody follows"):
        page.require_followed({})
