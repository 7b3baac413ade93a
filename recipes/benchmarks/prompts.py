"""What a problem looks like to the model. No system prompt and no examples: few-shot prompts make
R1 worse (arXiv 2501.12948v2, sections 6 and D.1), so few-shot benchmarks are asked zero-shot."""

from __future__ import annotations

from collections.abc import Sequence

LETTERS = "ABCDEFGHIJ"

MATH = "{question}\nPlease reason step by step, and put your final answer within \\boxed{{}}."
"""The directive of the paper and of the model's own README."""

CHOICE = (
    "Answer the following multiple choice question. The last line of your response should be of "
    "the following format: 'Answer: $LETTER' (without quotes) where LETTER is one of {letters}. "
    "Think step by step before answering.\n\n{question}\n\n{options}"
)
"""MMLU and GPQA, in the form the paper takes from simple-evals."""

MMLU_PRO = (
    "The following is a multiple choice question about {subject}. Think step by step and then "
    'finish your answer with "The answer is (X)" where X is the correct letter choice.\n\n'
    "{question}\n\n{options}"
)
"""Zero-shot form of MMLU-Pro's own prompt, whose answer line it keeps."""

MMLU_REDUX = (
    "## Question\n{question}\n\n## Choices\n{options}\n\n## Instruction\nReason first, then select "
    "the correct choice. Give both in this JSON form, with nothing but the letter of the choice as "
    'answer:\n{{"reasoning": "...", "answer": "C"}}'
)
"""Zero-Eval's shape: the answer is a field of a JSON object."""

C_EVAL = (
    "以下是中国关于{subject}考试的单项选择题，请选出其中的正确答案。请一步一步推理，"
    "并在最后一行按“答案：X”的格式作答，X 为选项字母。\n\n{question}\n\n{options}"
)
"""C-Eval's own opening; the line on the form of the answer stands for its examples."""

C_EVAL_SUBJECTS = {
    "accountant": "注册会计师",
    "advanced_mathematics": "高等数学",
    "art_studies": "艺术学",
    "basic_medicine": "基础医学",
    "business_administration": "工商管理",
    "chinese_language_and_literature": "中国语言文学",
    "civil_servant": "公务员",
    "clinical_medicine": "临床医学",
    "college_chemistry": "大学化学",
    "college_economics": "大学经济学",
    "college_physics": "大学物理",
    "college_programming": "大学编程",
    "computer_architecture": "计算机组成",
    "computer_network": "计算机网络",
    "discrete_mathematics": "离散数学",
    "education_science": "教育学",
    "electrical_engineer": "注册电气工程师",
    "environmental_impact_assessment_engineer": "环境影响评价工程师",
    "fire_engineer": "注册消防工程师",
    "high_school_biology": "高中生物",
    "high_school_chemistry": "高中化学",
    "high_school_chinese": "高中语文",
    "high_school_geography": "高中地理",
    "high_school_history": "高中历史",
    "high_school_mathematics": "高中数学",
    "high_school_physics": "高中物理",
    "high_school_politics": "高中政治",
    "ideological_and_moral_cultivation": "思想道德修养与法律基础",
    "law": "法学",
    "legal_professional": "法律职业资格",
    "logic": "逻辑学",
    "mao_zedong_thought": "毛泽东思想和中国特色社会主义理论体系概论",
    "marxism": "马克思主义基本原理",
    "metrology_engineer": "注册计量师",
    "middle_school_biology": "初中生物",
    "middle_school_chemistry": "初中化学",
    "middle_school_geography": "初中地理",
    "middle_school_history": "初中历史",
    "middle_school_mathematics": "初中数学",
    "middle_school_physics": "初中物理",
    "middle_school_politics": "初中政治",
    "modern_chinese_history": "近代史纲要",
    "operating_system": "操作系统",
    "physician": "医师资格",
    "plant_protection": "植物保护",
    "probability_and_statistics": "概率统计",
    "professional_tour_guide": "导游资格",
    "sports_science": "体育学",
    "tax_accountant": "税务师",
    "teacher_qualification": "教师资格",
    "urban_and_rural_planner": "注册城乡规划师",
    "veterinary_medicine": "兽医学",
}
"""As C-Eval's prompts name them; its files have the English names."""

CLUEWSC = (
    "阅读下面的句子：\n{text}\n\n句中的“{pronoun}”指的是“{noun}”吗？\n\nA) 是\nB) 否\n\n"
    "请一步一步推理，并在最后一行按“答案：X”的格式作答，X 为选项字母。"
)
"""The pronoun problem as a choice of two, which needs no examples to know the form."""

PROGRAM = (
    "{question}\n\nWrite a Python program that solves the problem. It must read the input from "
    "stdin and write the result to stdout. Put the whole program into one ```python code block."
)
"""LiveCodeBench and Codeforces-style problems with tests on stdin."""

PROGRAM_WITH_STARTER = (
    "{question}\n\nComplete this Python code, keeping its names, and put the whole solution into "
    "one ```python code block.\n```python\n{starter}\n```"
)
"""LiveCodeBench's LeetCode problems and HumanEval, whose tests call a function."""

FUNCTION = (
    "{question}\n\nYour code must satisfy this test:\n{test}\n\nPut the whole solution into one "
    "```python code block."
)
"""MBPP: the first test tells the function's name and arguments."""


def options(texts: Sequence[str]) -> str:
    """["red", "blue"] -> "A) red\\nB) blue"."""
    return "\n".join(f"{letter}) {text}" for letter, text in zip(LETTERS, texts, strict=False))
