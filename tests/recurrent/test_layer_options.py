import pytest
from pydantic import ValidationError

from unrolled.recurrent.options import LayerOptions


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (
            {"cell": "lstm", "nonlinearity": "relu"},
            "nonlinearity relu is of cell rnn, but cell is lstm; set nonlinearity to tanh",
        ),
        (
            {"cell": "lstm", "reset_after": False},
            "reset_after false is of cell gru, but cell is lstm; set reset_after to true",
        ),
        (
            {"reset_after": False},
            "reset_after false is computed by our own GRU alone; set manual to true",
        ),
        (
            {"cell": "gru", "forget_gate": "exp"},
            "forget_gate exp is of cell slstm or mlstm, but cell is gru; set forget_gate to sigmoid",
        ),
        (
            {"cell": "gru", "alternate": "lstm", "layers": 2, "cell_heads": 2},
            "cell_heads 2 is of cell mlstm, but cell is gru and lstm; set cell_heads to 1",
        ),
        (
            {"cell": "mlstm", "cell_heads": 5, "hidden": 12},
            "cell_heads 5 does not divide hidden 12; choose a divisor of it, such as 4",
        ),
        (
            {"cell": "mlstm", "alternate": "slstm"},
            "alternate slstm is of the second layer, but layers is 1; set layers to 2 or more, or"
            " alternate to null",
        ),
        (
            {"cell": "slstm", "alternate": "mlstm", "layers": 2, "init": "orthogonal"},
            "init orthogonal is of recurrent weights, but cell mlstm has none; choose default,"
            " normal or unscaled_normal",
        ),
        (
            {"cell": "lru", "forget_bias": 1.0},
            "forget_bias 1.0 needs a gate, but cell lru has none; set forget_bias to null",
        ),
        (
            {"dropout": 0.2},
            "dropout 0.2 lies between layers, but layers is 1; set layers to 2 or more, or dropout"
            " to 0",
        ),
        (
            {"variational_dropout": 0.25},
            "variational_dropout 0.25 lies between layers, but layers is 1; set layers to 2 or"
            " more, or variational_dropout to 0",
        ),
        (
            {"layers": 2, "dropout": 0.2, "variational_dropout": 0.25},
            "dropout 0.2 and variational_dropout 0.25 lie in the same place; set one of them to 0",
        ),
        (
            {"cell": "min_gru", "init": "orthogonal"},
            "init orthogonal is of recurrent weights, but cell min_gru has none; choose default,"
            " normal or unscaled_normal",
        ),
        (
            {"cell": "rnn", "forget_bias": 1.0},
            "forget_bias 1.0 needs a gate, but cell rnn has none; set forget_bias to null",
        ),
        (
            {"forget_bias": "chrono"},
            "forget_bias is chrono and longest_lag is None, but chrono and longest_lag go together;"
            " set both or neither",
        ),
        (
            {"longest_lag": 24},
            "forget_bias is None and longest_lag is 24, but chrono and longest_lag go together;"
            " set both or neither",
        ),
    ],
)
def test_what_cannot_be_is_refused_with_a_sentence(options, sentence):
    with pytest.raises(ValidationError) as error:
        LayerOptions(**options)
    assert error.value.errors()[0]["msg"] == f"Value error, {sentence}"


@pytest.mark.parametrize(
    "options", [{"cell": "grru"}, {"hidden": 0}, {"dropout": 1.0, "layers": 2}, {"hiden": 8}]
)
def test_unknown_names_and_values_out_of_range_are_refused(options):
    with pytest.raises(ValidationError):
        LayerOptions(**options)


def test_torchs_layer_is_the_default_where_there_is_one():
    assert [LayerOptions(cell=cell).library for cell in ("rnn", "lstm", "gru", "min_gru")] == [
        True,
        True,
        True,
        False,
    ]
    assert not LayerOptions(cell="lstm", manual=True).library


def test_every_option_is_described():
    assert all(field.description for field in LayerOptions.model_fields.values())
