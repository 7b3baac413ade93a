"""Sentences of reasoning with known words, to build documents whose language share is known.

Chinese and Japanese are written with spaces between words here; `join_words` takes them out. All
sentences were made for these tests.
"""

from __future__ import annotations

import re

ENGLISH = """\
First, let me read the problem again and write down what is given.
The train leaves the station at eight and travels for three hours.
We need to find out how many apples are left in the basket.
If the price goes up by a fifth, the customer has to pay more.
Let us check whether this result makes any sense at all.
Wait, I made a mistake in the second step, so let me start over.
The area of the triangle is half of the base times the height.
Since both numbers are even, their sum must be even as well.
Now we substitute this value back into the first equation.
Therefore the answer should be twice as large as before.
There are only two cases to consider here.
Suppose that the opposite is true and look for a contradiction.
Each student receives the same number of books, and none remain.
The teacher bought a dozen pencils and gave away five of them.
I think it is easier to count the days when it did not rain.
The remaining money is enough to buy another ticket.
That would mean the pool is filled within an hour.
Hmm, but the question asks for the total cost, not the difference.
To solve this, we multiply both sides by the denominator.
The sequence grows slowly in the beginning and then very fast.
Every second runner gets a medal, which gives us half of the group.
Alternatively, we could draw a small diagram of the garden.
So the second machine works faster than the first one.
It follows that the function has no zero in this interval.
She walks to school in the morning and takes the bus back home.
Okay, that looks right, and now I only have to write the final answer.
""".splitlines()

CHINESE = """\
首先 让 我 再 读 一遍 题目 ， 写 下 已知 条件 。
火车 八点 离开 车站 ， 行驶 了 三个 小时 。
我们 需要 求出 篮子 里 还 剩下 多少 苹果 。
如果 价格 上涨 五分之一 ， 顾客 就 必须 付 更多 的 钱 。
让 我们 检查 一下 这个 结果 是否 合理 。
等等 ， 我 在 第二 步 犯 了 一个 错误 ， 所以 重新 开始 。
三角形 的 面积 等于 底边 乘以 高 的 一半 。
因为 两个 数 都 是 偶数 ， 所以 它们 的 和 也 是 偶数 。
现在 把 这个 值 代入 第一个 方程 。
因此 答案 应该 是 之前 的 两倍 。
这里 只 需要 考虑 两种 情况 。
假设 结论 不 成立 ， 然后 寻找 矛盾 。
每个 学生 得到 同样 数量 的 书 ， 没有 剩余 。
老师 买 了 一打 铅笔 ， 送出 了 其中 五支 。
我 认为 计算 没有 下雨 的 天数 更加 容易 。
剩下 的 钱 足够 再 买 一张 票 。
这 意味着 水池 在 一个 小时 之内 就 会 装满 。
不过 问题 要求 的 是 总 费用 ， 而 不 是 差额 。
为了 解决 这个 问题 ， 我们 在 等式 两边 同时 乘以 分母 。
这个 数列 开始 增长 缓慢 ， 后来 增长 非常 迅速 。
每 两个 选手 中 有 一个 获得 奖牌 ， 也 就 是 一半 的 人 。
另外 ， 我们 也 可以 画 一张 花园 的 示意图 。
所以 第二台 机器 比 第一台 工作 得 更 快 。
由此 可知 函数 在 这个 区间 内 没有 零点 。
她 早上 步行 去 学校 ， 下午 坐 公共汽车 回家 。
好 ， 看起来 没有 问题 ， 现在 只 需要 写出 最后 的 答案 。
""".splitlines()

MIXED = """\
首先 let me 读 一遍 the problem ， 然后 write down 已知 条件 。
我们 need 先 求出 the value of 这个 未知数 。
So 三角形 的 area 等于 half of 底边 乘以 the height 。
Wait ， 我 在 第二 步 made a mistake ， 所以 start over 。
Suppose 结论 不 成立 ， then we look for 矛盾 。
因为 both numbers 都 是 even ， 所以 它们 的 sum 也 是 偶数 。
现在 把 这个 result 代入 the first equation 。
Therefore 答案 应该 是 twice 之前 的 结果 。
剩下 的 money is enough 再 买 一张 ticket 。
我们 可以 simplify 这个 fraction ， 然后 check whether 它 合理 。
The train 八点 离开 车站 ， and travels 三个 小时 。
如果 the price goes up ， 顾客 就 必须 pay more 。
Okay ， 看起来 没有 问题 ， now 只 需要 write 最后 的 answer 。
这个 function 在 the interval 内 has no zero 。
For each 学生 ， we count 他 得到 的 书 的 number 。
然后 multiply both sides ， 就 可以 得到 the final 答案 。
""".splitlines()

JAPANESE = """\
まず 問題文 を もう一度 読んで 、 わかっている こと を 書き出します 。
電車 は 八時 に 駅 を 出発して 、 三時間 走ります 。
かご の 中 に りんご が いくつ 残っている か 求める 必要 が あります 。
値段 が 上がる と 、 お客さん は もっと 払わなければ なりません 。
この 結果 が 正しい か どうか 確かめて みましょう 。
待って 、 二番目 の 手順 で 間違えた ので 、 最初 から やり直します 。
三角形 の 面積 は 底辺 と 高さ を かけて 半分 に した もの です 。
二つ の 数 は どちらも 偶数 な ので 、 合計 も 偶数 に なります 。
次 に この 値 を 最初 の 式 に 代入します 。
したがって 答え は 前 の 二倍 に なる はず です 。
生徒 は みんな 同じ 数 の 本 を もらって 、 余り は ありません 。
先生 は 鉛筆 を 買って 、 そのうち 五本 を あげました 。
""".splitlines()

RUSSIAN = """\
Сначала прочитаем задачу ещё раз и запишем, что дано.
Поезд отправляется в восемь часов и едет три часа.
Нам нужно узнать, сколько яблок осталось в корзине.
Если цена вырастет, покупателю придётся заплатить больше.
Давайте проверим, имеет ли этот результат смысл.
Подожди, я ошибся во втором шаге, поэтому начну сначала.
Площадь треугольника равна половине произведения основания на высоту.
Так как оба числа чётные, их сумма тоже чётная.
Теперь подставим это значение в первое уравнение.
Следовательно, ответ должен быть вдвое больше.
""".splitlines()

KOREAN = """\
먼저 문제를 다시 읽고 주어진 조건을 적어 봅시다.
기차는 여덟 시에 역을 떠나서 세 시간 동안 달립니다.
바구니에 사과가 몇 개 남았는지 구해야 합니다.
가격이 오르면 손님은 돈을 더 내야 합니다.
이 결과가 맞는지 확인해 보겠습니다.
잠깐, 두 번째 단계에서 실수를 했으니 다시 시작합니다.
삼각형의 넓이는 밑변과 높이를 곱한 값의 절반입니다.
두 수가 모두 짝수이므로 합도 짝수입니다.
이제 이 값을 첫 번째 식에 대입합니다.
따라서 답은 이전의 두 배가 되어야 합니다.
""".splitlines()

FRENCH = """\
D'abord, relisons le problème et notons ce qui est donné.
Le train quitte la gare à huit heures et roule pendant trois heures.
Il faut trouver combien de pommes restent dans le panier.
Si le prix augmente d'un cinquième, le client doit payer davantage.
Vérifions maintenant si ce résultat est raisonnable.
Attends, je me suis trompé à la deuxième étape, donc je recommence.
L'aire du triangle est la moitié de la base fois la hauteur.
Comme les deux nombres sont pairs, leur somme est paire aussi.
Nous remplaçons cette valeur dans la première équation.
La réponse devrait donc être deux fois plus grande.
""".splitlines()

GERMAN = """\
Zuerst lesen wir die Aufgabe noch einmal und schreiben auf, was gegeben ist.
Der Zug verlässt den Bahnhof um acht Uhr und fährt drei Stunden.
Wir müssen herausfinden, wie viele Äpfel noch im Korb liegen.
Wenn der Preis um ein Fünftel steigt, muss der Kunde mehr bezahlen.
Nun prüfen wir, ob dieses Ergebnis überhaupt sinnvoll ist.
Moment, im zweiten Schritt ist mir ein Fehler passiert, also noch einmal.
Die Fläche des Dreiecks ist die halbe Grundseite mal die Höhe.
Da beide Zahlen gerade sind, ist auch ihre Summe gerade.
Jetzt setzen wir diesen Wert in die erste Gleichung ein.
Die Antwort müsste also doppelt so groß sein.
""".splitlines()

SPANISH = """\
Primero volvemos a leer el problema y anotamos lo que sabemos.
El tren sale de la estación a las ocho y viaja durante tres horas.
Tenemos que averiguar cuántas manzanas quedan en la cesta.
Si el precio sube una quinta parte, el cliente debe pagar más.
Ahora comprobamos si este resultado tiene sentido.
Espera, cometí un error en el segundo paso, así que empiezo de nuevo.
El área del triángulo es la mitad de la base por la altura.
Como los dos números son pares, su suma también es par.
Después sustituimos este valor en la primera ecuación.
Por lo tanto, la respuesta debería ser el doble de grande.
""".splitlines()

NEUTRAL = [
    "$x_1 + x_2 = \\frac{3}{4}$",
    "\\[ \\sum_{k=1}^{n} k = \\frac{n(n+1)}{2} \\]",
    "$$\\begin{aligned} a &= b + c \\\\ &= \\sqrt{d} \\end{aligned}$$",
    "\\(f(x) = \\sin(2x) \\cdot \\mathrm{e}^{-x}\\)",
    "```python\nfor index in range(10):\n    total += values[index]\nprint(total)\n```",
    "`len(items) % 7`",
    "\\boxed{\\frac{12}{\\sqrt{5}}}",
    "3.5 kg * 12 = 42",
    "https://example.org/some/long_path?query=words",
]
"""Formulas, code, numbers and an address: no words of any language."""

HAN_OR_KANA = "\u3005-\u30ff\u4e00-\u9fff，。？、"


def join_words(sentence: str) -> str:
    """Without the spaces next to characters that are written without them, except between them
    and Latin words."""
    return re.sub(f"(?<=[{HAN_OR_KANA}]) (?=[{HAN_OR_KANA}])", "", sentence)


def word_counts(sentence: str) -> tuple[int, int]:
    """The words in Latin letters, and those in other letters, of a sentence with spaces."""
    words = [word for word in sentence.split() if any(map(str.isalpha, word))]
    latin = sum(bool(re.search("[A-Za-zÀ-ÿ]", word)) for word in words)
    return latin, len(words) - latin
