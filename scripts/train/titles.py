"""What classes are called on a page."""

CHINESE = {
    "person": "行人",
    "bicycle": "自行车",
    "car": "小汽车",
    "motorcycle": "摩托车",
    "bus": "公交车",
    "truck": "货车",
    "cavity": "坑洞塌陷",
    "crash": "车祸",
    "debris": "散落物",
    "fallen_tree": "倒树",
    "barrier": "路障",
}


def class_title(name: str) -> str:
    """Chinese and English."""
    return f"{CHINESE.get(name, '')} {name}".strip()
