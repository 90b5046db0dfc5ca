"""Names that are not taken."""

from predictor_core.ir.names import Names


def test_a_name_that_is_not_taken_is_kept():
    names = Names(["conv"])
    assert names.fresh("relu") == "relu"
    assert "relu" in names.taken


def test_variations_avoid_what_is_taken():
    names = Names(["conv", "conv_1", "conv_3"])
    assert [names.fresh("conv") for _ in range(3)] == ["conv_2", "conv_4", "conv_5"]


def test_a_released_name_is_given_again():
    names = Names(["conv"])
    names.release("conv")
    assert names.fresh("conv") == "conv"


def test_many_equal_names_are_all_different():
    names = Names()
    assert len({names.fresh("x") for _ in range(20_000)}) == 20_000
