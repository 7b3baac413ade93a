"""Programs that try to pass call tests without computing f(x) = (7 x + 3) mod 101.

None of them is told what f should return, and none may be accepted.
"""

INPUTS = (1, 5, 12, 30, 44)
TESTS = [{"args": [x], "expected": (7 * x + 3) % 101} for x in INPUTS]

EQUAL_TO_ALL = """
class Any(BASE):
    def __eq__(self, other): return True
    def __ne__(self, other): return False
    def __hash__(self): return 0
    def __float__(self): return 10.0
    def __index__(self): return 10
    def __repr__(self): return "10"
    __class__ = property(lambda self: int)
def f(x): return Any()
"""

FORGE = """
import os
def reply(number, content, kind=b"value"):
    return b'{"id":%d,"ms":1,"%s":%s}\\n' % (number, kind, content)
def everywhere(data):
    for fd in range(3, 64):
        try: os.write(fd, data)
        except OSError: pass
"""

WALK = """
import sys, gc
def frames():
    frame = sys._getframe()
    while frame:
        yield frame
        frame = frame.f_back
"""

ABUSE = {
    # Objects that claim to be equal to anything.
    "equal object": EQUAL_TO_ALL.replace("BASE", "object").replace("__class__ =", "kind ="),
    "equal object with a false class": EQUAL_TO_ALL.replace("BASE", "object"),
    "equal int": EQUAL_TO_ALL.replace("BASE", "int").replace("__class__ =", "kind ="),
    "equal float": EQUAL_TO_ALL.replace("BASE", "float"),
    "equal str": EQUAL_TO_ALL.replace("BASE", "str"),
    "equal list": EQUAL_TO_ALL.replace("BASE", "list"),
    "metaclass equal to int": """
class Meta(type):
    def __eq__(cls, other): return True
    def __hash__(cls): return hash(int)
    def __instancecheck__(cls, other): return True
class Any(int, metaclass=Meta):
    def __eq__(self, other): return True
    __hash__ = int.__hash__
Any.__name__ = "int"
def f(x): return Any(10)
""",
    "a class called int": "class int(int): pass\ndef f(x): return int(10)",
    # Values of other types, or that equal nothing.
    "nan": "def f(x): return float('nan')",
    "nan in a list": "def f(x): return [float('nan')]",
    "infinity": "def f(x): return float('inf')",
    "text of the number": "def f(x): return str((7 * x + 3) % 101)",
    "list of the number": "def f(x): return [(7 * x + 3) % 101]",
    "True": "def f(x): return True",
    "None": "def f(x): return None",
    "NotImplemented": "def f(x): return NotImplemented",
    "generator": "def f(x): yield (7 * x + 3) % 101",
    "coroutine": "async def f(x): return (7 * x + 3) % 101",
    "fraction": "from fractions import Fraction\ndef f(x): return Fraction(10)",
    # Ends before the answers.
    "os._exit while loading": "import os\nos._exit(0)",
    "sys.exit while loading": "import sys\ndef f(x): return 10\nsys.exit(0)",
    "os._exit while called": "import os\ndef f(x): os._exit(0)",
    "sys.exit while called": "import sys\ndef f(x): sys.exit(0)",
    "kill itself": "import os\ndef f(x): os.kill(os.getpid(), 9)",
    "quit": "def f(x): quit()",
    "raise SystemExit subclass": "class S(SystemExit): pass\ndef f(x): raise S(0)",
    # Forged replies.
    "forged ok lines": FORGE + "everywhere(b'{\"ok\": true}\\n' * 5)\ndef f(x): return 0",
    "forged verdict": FORGE + "everywhere(reply(0, b'true', b'passed'))\ndef f(x): return 0",
    "forged complete set and exit": FORGE
    + "everywhere(b''.join(reply(i, b'10') for i in range(5)))\nos._exit(0)",
    "forged extra reply": FORGE
    + "def f(x):\n    everywhere(reply(5, b'10'))\n    return (7 * x + 3) % 101",
    "forged repeated reply": FORGE
    + "def f(x):\n    everywhere(reply(0, b'10'))\n    return (7 * x + 3) % 101",
    "forged NaN": FORGE + "everywhere(reply(0, b'NaN'))\nos._exit(0)",
    "forged bare float": FORGE + "everywhere(reply(0, b'10.0'))\nos._exit(0)",
    "forged two values": FORGE + "everywhere(reply(0, b'10,\"value\":38'))\nos._exit(0)",
    "forged unknown tag": FORGE + "everywhere(reply(0, b'{\"any\":[]}'))\nos._exit(0)",
    "forged deep list": FORGE + "everywhere(reply(0, b'[' * 10**5 + b']' * 10**5))\nos._exit(0)",
    "forged huge integer": FORGE + "everywhere(reply(0, b'9' * 10**6))\nos._exit(0)",
    "forged bytes that are no text": FORGE + "everywhere(b'\\xff\\xfe\\x00\\n')\nos._exit(0)",
    "forged cut line": FORGE + "everywhere(reply(0, b'10')[:-2])\nos._exit(0)",
    "forged true as a number": FORGE
    + "everywhere(reply(0, b'10').replace(b'0', b'false', 1))\nos._exit(0)",
    "forged load reply": FORGE
    + "def f(x):\n    everywhere(reply(0, b'\"\"', b'load'))\n    return (7 * x + 3) % 101",
    "replies from a thread": FORGE
    + """
import threading, time
def later():
    while True:
        everywhere(reply(0, b"10"))
        time.sleep(0.001)
threading.Thread(target=later, daemon=True).start()
time.sleep(0.01)
def f(x): time.sleep(0.01); return 10
""",
    "prints replies": FORGE
    + "def f(x):\n    print(reply(0, b'10').decode(), end='', flush=True)\n    return 0",
    "closes all descriptors": "import os\nos.closerange(0, 64)\ndef f(x): return 10",
    "replies to a file": "import os\nos.closerange(3, 64)\nopen('/dev/null')\ndef f(x): return 10",
    # Frame walks to the driver's variables.
    "walk to the call list": WALK
    + """
def f(x):
    for frame in frames():
        for name, value in frame.f_locals.items():
            if isinstance(value, list):
                value.clear()
    return 10
""",
    "walk for an expected value": WALK
    + """
def f(x):
    for frame in frames():
        for space in (frame.f_locals, frame.f_globals):
            for name, value in space.items():
                if "expect" in name.lower() or "answer" in name.lower():
                    return value
    return 10
""",
    "look for the test in memory": WALK
    + """
def f(x):
    for item in gc.get_objects():
        if type(item) is dict and "expected" in item and item.get("args") == [x]:
            return item["expected"]
    return 10
""",
    "make encode return what it likes": WALK
    + """
def f(x):
    for frame in frames():
        for space in (frame.f_locals, frame.f_globals):
            if "encode" in space:
                space["encode"] = lambda value: "true"
                space["_scalar"] = lambda value, kind: '{"passed":true}'
    return object()
""",
    "jump the driver to its end": WALK
    + """
import os
def f(x):
    for frame in frames():
        end = frame.f_locals.get("end")
        if end: end(0)
    os._exit(0)
""",
    # Patched built-ins and modules.
    "patched built-ins": """
import builtins
class yes:
    def __new__(cls, *a, **k): return True
for name in ("type", "isinstance", "len", "repr", "all", "any", "map", "dict", "list", "hex"):
    setattr(builtins, name, yes)
def f(x): return 10
""",
    "patched json and math": """
import json, math, operator
json.loads = json.dumps = lambda *a, **k: {"passed": True}
json.encoder.encode_basestring_ascii = lambda text: '"10"'
math.isclose = operator.eq = lambda *a, **k: True
def f(x): return 0
""",
    "patched os and sys": """
import os, sys
real = os.write
os.write = lambda fd, data: real(fd, b'{"id":0,"ms":1,"value":10}\\n')
os._exit = sys.exit = lambda code=0: None
def f(x): return 0
""",
    "patched unittest and assert": """
import unittest, builtins
unittest.TestCase.assertEqual = lambda *a: None
class AssertionError(Exception): pass
builtins.AssertionError = AssertionError
def f(x): return 0
""",
    # Sizes.
    "very deep": "def f(x):\n    v = []\n    for _ in range(10**5): v = [v]\n    return v",
    "cyclic": "def f(x):\n    v = []\n    v.append(v)\n    return v",
    "very large": "def f(x): return [0] * 10**6",
    "exponential": "def f(x):\n    v = []\n    for _ in range(50): v = [v, v]\n    return v",
    "huge integer": "def f(x): return 1 << 10**8",
    "long text": "def f(x): return '9' * 10**7",
    # Memory of earlier calls and of their order.
    "memorised order": "a = iter([10, 38, 87, 11, 8])\ndef f(x): return next(a)",
    "answers of an earlier job": """
import os
def f(x):
    try: return int(open("/tmp/answer").read())
    except OSError: open("/tmp/answer", "w").write("10"); return 10
""",
    "exception with a lying name": """
class E(Exception):
    __name__ = "value"
    def __str__(self): return '","value":10}'
def f(x): raise E
""",
    "exception whose text never ends": """
class E(Exception):
    def __str__(self): raise self
def f(x): raise E
""",
    "recursion": "def f(x): return f(x)",
    "no such function": "def g(x): return (7 * x + 3) % 101",
    "function is a value": "f = 10",
    "lowered recursion limit": "import sys\nsys.setrecursionlimit(60)\ndef f(x): return [[[[10]]]]",
    "traced driver": """
import sys
def trace(frame, event, arg):
    if "answered" in frame.f_locals: frame.f_locals["answered"] = 5
    return trace
sys.settrace(trace); sys.setprofile(trace)
def f(x): return 0
""",
}
