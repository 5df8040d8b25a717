"""The actions of the audit in words, and the kinds by which one looks for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.console import words

if TYPE_CHECKING:
    from pipeline.console.words import Language, Pair

# What the visitor chooses, and the first words of the actions that it stands for.
KINDS: dict[str, tuple[Pair, tuple[str, ...]]] = {
    "sign-in": (("登录与退出", "signing in and out"), ("sign-in", "sign-out")),
    "users": (
        ("用户、密码、登录设备", "users, passwords, sessions"),
        ("users", "password", "sessions"),
    ),
    "tokens": (("接口令牌", "tokens"), ("tokens",)),
    "tickets": (("案卷操作", "steps of tickets"), ("tickets", "report")),
    "cameras": (
        ("摄像机：查看、区域、标定", "cameras: looks, zones, marks"),
        ("cameras", "patrol"),
    ),
    "duties": (("责任清单", "duties"), ("duties",)),
    "evidence": (("证据", "evidence"), ("evidence",)),
    "audit": (("审计本身", "the audit itself"), ("audit",)),
}
ACTIONS: dict[str, Pair] = {
    "sign-in": ("登录", "signing in"),
    "sign-out": ("退出登录", "signing out"),
    "password change": ("修改自己的密码", "own password changed"),
    "users add": ("新增用户", "user added"),
    "users change": ("改角色或网格", "role or grids changed"),
    "users reset": ("重设密码", "password reset"),
    "users disable": ("停用用户", "user disabled"),
    "users enable": ("恢复用户", "user let in again"),
    "users link": ("绑定统一身份", "linked to an identity"),
    "sessions end": ("结束登录", "sessions ended"),
    "tokens make": ("新建令牌", "token made"),
    "tokens use": ("使用令牌", "token used"),
    "tokens revoke": ("撤销令牌", "token revoked"),
    "duties change": ("修改责任清单", "duty changed"),
    "patrol look": ("查看实时画面", "looked at live pictures"),
    "cameras zones": ("修改区域", "zones changed"),
    "cameras calibrate": ("修改标定", "marked points changed"),
    "audit export": ("导出审计", "audit exported"),
}
RESULTS: dict[str, Pair] = {
    "done": ("完成", "done"),
    "refused: wrong password": ("未通过：密码不对", "refused: wrong password"),
    "refused: no such user": ("未通过：没有这个用户", "refused: no such user"),
    "refused: disabled": ("未通过：用户已停用", "refused: the user is disabled"),
    "refused: not for your role": ("未允许：角色无此权限", "refused: not for this role"),
}


def action_name(action: str, language: Language) -> str:
    """What was asked for; steps of tickets by their own names, the rest as it is."""
    first, _, rest = action.partition(" ")
    if first == "tickets" and rest in words.STEPS:
        return words.pick(("案卷：", "ticket: "), language) + words.name(
            words.STEPS, rest, language
        )
    return words.name(ACTIONS, action, language)
