from __future__ import annotations

import time

import pytest

from rewards.code.completions import extract_code


@pytest.mark.parametrize(
    ("completion", "code"),
    [
        ("```python\nprint(1)\n```", "print(1)\n"),
        ("<think>```\nno\n```</think>\n```\nyes\n```\n", "yes\n"),
        ("```py\na\n```\nthen\n```Python3\nb\n```", "b\n"),
        ("```python\na\n```\noutput:\n```text\n1\n```", "a\n"),
        ("```python\na\n```\nExample output:\n```\n6\n```", "a\n"),
        ("```\nold\n```\n```\nnew\n```\n```text\n6\n```", "new\n"),
        ("```\na\n```\n```python\n\n```", "a\n"),
        ("```python\na\n```\n```python\nunclosed", "a\n"),
        ("````python\n```\ninside\n```\n````", "```\ninside\n```\n"),
        ("~~~python\na = '```'\n~~~", "a = '```'\n"),
        ("  ```python title=x\na\n  ```  ", "a\n"),
        ("```python\r\na\r\n```\r\n", "a\r\n"),
        ("```python\na\n```\n```python\n\n```", "a\n"),
        ("<answer>\n```python\na\n```\n</answer>", "a\n"),
    ],
)
def test_the_last_block_is_found(completion: str, code: str) -> None:
    assert extract_code(completion) == code


@pytest.mark.parametrize(
    "completion",
    [
        "",
        "print(1)",
        "```python\nprint(1)",
        "```cpp\nint main() {}\n```",
        "```python\na\n```</think>",
        "use `print(1)` or ```print(2)```",
        "```python\n```",
    ],
)
def test_there_is_no_code(completion: str) -> None:
    assert extract_code(completion) is None


def test_other_languages() -> None:
    text = "```cpp\nint main() {}\n```\n```python\na\n```"
    assert extract_code(text, "cpp") == "int main() {}\n"
    assert extract_code("```C++\nx\n```", "cpp") == "x\n"
    assert extract_code("```rust\nx\n```", "rust") == "x\n"


@pytest.mark.parametrize(
    "text", ["```" + "a" * 1_000_000 + "`", "`" * 1_000_000, "```\n" * 300_000]
)
def test_hostile_text_takes_linear_time(text: str) -> None:
    started = time.perf_counter()
    extract_code(text)
    assert time.perf_counter() - started < 5.0
