"""A few texts of this project's own, to measure how well a model foresees text: no licence but ours is involved."""

__all__ = ["TEXTS"]

TEXTS = (
    (
        "A gateway stands between an application and the models that answer it. Before it sends a question "
        "on, it asks itself how good, how dear, how slow and how long the answer of each model would be. Some"
        " models are too dear for what the caller is willing to pay, and some are too slow. Of those that "
        "remain it keeps the ones that no other model beats in everything at once, and picks one of them. "
        "Every decision is written down, together with the chance with which it was made, so that another way"
        " of choosing can be judged later from the same record."
    ),
    (
        "The harbour lay quiet that morning. Two fishermen were mending a net on the quay while a boy counted"
        " the gulls on the roof of the customs house. He had reached thirty-one when the ferry sounded its "
        "horn and all of them rose together. It is hard to count birds in the air, so he began again with the"
        " boats: eleven with sails, four without, and one that had been lying on the mud for as long as he "
        "could remember."
    ),
    (
        "To bake a plain loaf, mix five hundred grams of flour with three hundred and thirty grams of warm "
        "water, ten grams of salt and seven grams of dry yeast. Knead the dough for ten minutes until it is "
        "smooth, cover it with a cloth and let it rest for an hour in a warm place. Shape it, let it rise "
        "once more, and bake it at two hundred and twenty degrees for about thirty-five minutes. The loaf is "
        "done when it sounds hollow on being tapped."
    ),
    (
        "def mean(values):\n"
        '    """The arithmetic mean of a list of numbers."""\n'
        "    if not values:\n"
        '        raise ValueError("an empty list has no mean")\n'
        "    return sum(values) / len(values)\n"
        "\n"
        "\n"
        "def variance(values):\n"
        '    """The mean squared distance from the mean."""\n'
        "    centre = mean(values)\n"
        "    return mean([(value - centre) ** 2 for value in values])\n"
    ),
)
