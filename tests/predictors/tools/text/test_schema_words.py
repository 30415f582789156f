from predictors.tools.text.schema_words import schema_words


def test_field_names_and_descriptions_are_read_and_the_grammar_of_schemas_is_not() -> None:
    schema = '{"type": "object", "properties": {"zipCode": {"type": "string", "description": "Where to look"}}}'
    assert schema_words(schema) == ["zip", "cod", "look"]


def test_a_list_of_named_fields_is_read_too() -> None:
    assert schema_words('{"required": [{"name": "colisId", "type": "string"}]}') == ["colis", "id"]


def test_text_that_is_no_json_is_read_as_it_stands() -> None:
    assert schema_words("a pretrained model") == ["pretrain", "model"]


def test_nothing_has_no_words() -> None:
    assert schema_words("") == []


def test_a_megabyte_of_schema_is_read_at_its_beginning() -> None:
    fields = ", ".join(f'"field{n}": {{}}' for n in range(50_000))
    assert len(schema_words(f'{{"properties": {{{fields}}}}}')) == 1_000


def test_a_schema_nested_without_end_is_read_as_it_stands() -> None:
    assert schema_words('{"properties": ' * 100_000)[:2] == ["property", "property"]
