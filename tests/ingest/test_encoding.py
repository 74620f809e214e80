"""Encodings: every source of truth, what refutes it, and what can not be text."""

import gzip
import random

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.ingest.encoding import Decoded, Undecodable, decode_text, without_controls
from tests.meeting import meets, met

TEXTS = {
    "cp1252": "L’été dernier, nous sommes allés à la plage où les élèves étaient déjà. « Voilà », dit-elle, ça coûte 20 €. ",
    "cp1251": "Привет, мир! Это проверка кодировки текста на русском языке. ",
    "koi8-r": "Привет, мир! Это проверка кодировки текста на русском языке. ",
    "cp1253": "Η ελληνική γλώσσα είναι μία από τις αρχαιότερες γλώσσες του κόσμου. ",
    "cp1255": "זהו משפט בעברית שנכתב כדי לבדוק את הקידוד. ",
    "cp1256": "هذه جملة باللغة العربية لاختبار الترميز. ",
    "cp874": "นี่คือประโยคภาษาไทยสำหรับทดสอบการเข้ารหัส ",
    "cp932": "これは日本語の文章です。文字コードの判定を試します。",
    "euc_jp": "これは日本語の文章です。文字コードの判定を試します。",
    "iso2022_jp": "これは日本語の文章です。文字コードの判定を試します。",
    "gb18030": "这是一个测试文本，用来检查编码检测是否正确。",
    "big5": "這是一個測試文字，用來檢查編碼偵測是否正確。",
    "cp949": "이것은 한국어 문장입니다. 문자 인코딩을 시험합니다. ",
    "utf-8": "Größe, Привет, 日本語, 🙂. ",
}


def page(text: str, head: str = "") -> str:
    return f"<html><head>{head}<title>A page</title></head><body><p>{text * 4}</p></body></html>"


@pytest.mark.parametrize(
    "header", [None, "text/html", "text/html; charset=utf-8", "text/html;charset=ISO-8859-1", "text/html; charset=nonsense"]
)
@pytest.mark.parametrize("encoding", TEXTS)
def test_a_wrong_or_missing_header_does_no_harm(encoding, header):
    decoded = decode_text(page(TEXTS[encoding]).encode(encoding), header)
    assert decoded.text == page(TEXTS[encoding])
    assert decoded.damaged == decoded.controls == 0


@pytest.mark.parametrize(
    "head",
    [
        '<meta charset="{}">',
        "<META CHARSET={} >",
        '<meta http-equiv="Content-Type" content="text/html; charset={}">',
        "<!-- <meta charset=utf-8> --><meta charset='{}'/>",
    ],
)
@pytest.mark.parametrize(("label", "encoding"), [("iso-8859-2", "iso8859-2"), ("windows-1250", "cp1250"), ("x-sjis", "cp932")])
def test_the_page_declares_its_encoding(head, label, encoding):
    text = "これは" if encoding == "cp932" else "Żółw"
    html = page(text, head.format(label))
    decoded = decode_text(html.encode(encoding))
    assert (decoded.text, decoded.encoding) == (html, encoding)


@pytest.mark.parametrize(("end", "declared"), [(4096, "koi8_r"), (4097, None)])
def test_a_page_declares_in_its_first_four_kibibytes(end, declared):
    """The label is read where nothing of it lies beyond; one that is cut would be another label."""
    head = b"<meta charset=koi8-r"
    found = decode_text(b" " * (end - len(head)) + head + b"><p>" + "Наука и жизнь, новости и погода на завтра".encode("koi8_r"), None)
    assert ((found.declared or "").replace("-", "_") or None) == declared


def test_an_xml_declaration_counts():
    html = '<?xml version="1.0" encoding="ISO-8859-2"?>\n' + page("Żółw")
    assert decode_text(html.encode("iso8859-2")).text == html


def test_labels_mean_what_browsers_take_them_for():
    html = page("“smart” – 5 €")
    assert decode_text(html.encode("cp1252"), "text/html; charset=iso-8859-1") == Decoded(html, "cp1252", "cp1252")
    assert decode_text("①".encode("cp932"), "text/html; charset=shift_jis").text == "①"
    assert decode_text("똠".encode("cp949"), "text/html; charset=euc-kr").text == "똠"
    assert decode_text("镕".encode("gbk"), "text/html; charset=gb2312").text == "镕"


def test_windows_1252_that_claims_utf8_comes_out_right():
    html = page("It’s a “test” – café", '<meta charset="utf-8">')
    decoded = decode_text(html.encode("cp1252"), "text/html; charset=utf-8")
    assert decoded.text == html
    assert decoded.declared == "utf-8"
    assert decoded.encoding != "utf-8"


def test_utf8_that_claims_something_else_is_utf8():
    assert decode_text("café".encode(), "text/html; charset=iso-8859-1").text == "café"
    assert decode_text(("测试文本" * 3).encode(), "text/html; charset=gbk").encoding == "utf-8"


def test_few_bytes_do_not_refute_a_multi_byte_claim():
    payload = "通".encode("gb18030")
    assert payload.decode("utf-8") != "通", "the example is valid UTF-8 by accident"
    assert decode_text(payload, "text/html; charset=gb2312").text == "通"


def test_header_before_page_unless_the_bytes_side_with_the_page():
    html = page("Żółw i jaźń, gęślą zażółć", '<meta charset="iso-8859-2">')
    assert decode_text(html.encode("iso8859-2"), "text/html; charset=iso-8859-1").encoding == "iso8859-2"
    html = page("L’été à la plage, déjà vu", '<meta charset="windows-1251">')
    assert decode_text(html.encode("cp1252"), "text/html; charset=windows-1252").text == html


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_marks_decide(encoding):
    html = page("Größe, Привет", '<meta charset="windows-1252">')
    assert decode_text(html.encode(encoding), "text/html; charset=windows-1252").text == html


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf16_without_a_mark(encoding):
    html = page("Größe", '<meta charset="utf-16">')
    assert decode_text(html.encode(encoding)).text == html


def test_a_few_damaged_bytes_are_replaced_and_counted():
    payload = (page("Größe und Länge, Bäume über Flüsse. ") * 5).encode()
    decoded = decode_text(payload.replace(b"<title>", b"<title>\xff\xfe", 1), "text/html; charset=utf-8")
    assert (decoded.encoding, decoded.damaged) == ("utf-8", 2)
    assert "\ufffd\ufffdA page" in decoded.text
    assert "Flüsse" in decoded.text


@pytest.mark.parametrize(("letters", "damaged"), [(49, 1), (48, 0)])
def test_a_claim_stands_with_one_damaged_character_in_fifty(letters, damaged):
    decoded = decode_text(b"caf\xe9 au lait " * letters + b"\x81", "text/html; charset=windows-1252")
    assert ((decoded.encoding == "cp1252"), decoded.damaged) == (damaged == 1, damaged)


@pytest.mark.parametrize(("size", "encoding"), [(1000, "utf-8"), (999, None)])
@pytest.mark.parametrize(("head", "stray"), [("é ".encode() + b"\xff ", True), (b"\xff ", False)])
def test_one_stray_byte_in_a_thousand_leaves_a_page_in_utf8_if_another_letter_speaks_for_it(head, stray, size, encoding):
    payload = head + b"a" + b" a" * ((size - len(head) - 1) // 2)
    payload += b"." * (size - len(payload))
    decoded = decode_text(payload, "text/html; charset=utf-8")
    assert (decoded.encoding == "utf-8", decoded.damaged) == ((stray, int(stray)) if encoding else (False, 0))


@pytest.mark.parametrize(("letters", "stands"), [("é", False), ("éé", True)])
def test_each_stray_byte_needs_a_letter_that_speaks_for_utf8(letters, stands):
    decoded = decode_text(letters.encode() + b" \xff \xff " + b"a " * 1000, "text/html; charset=utf-8")
    assert (decoded.encoding == "utf-8", decoded.damaged) == (stands, 2 * stands)


def test_koi8_r_with_ukrainian_letters_is_koi8_u():
    ukrainian, russian = "Кіт і пес їдуть " * 3, "Кот и пёс едут " * 3
    decoded = decode_text(ukrainian.encode("koi8-u"), "text/html; charset=koi8-r")
    assert (decoded.encoding, decoded.text) == ("koi8-u", ukrainian)
    assert decode_text(russian.encode("koi8-r"), "text/html; charset=koi8-r").encoding == "koi8-r"


def test_a_character_cut_off_at_the_end_is_no_stray_byte():
    decoded = decode_text("é ".encode() + b"\xff " + b"a " * 1000 + "é".encode()[:1], "text/html; charset=utf-8")
    assert (decoded.encoding, decoded.damaged, decoded.text[-4:]) == ("utf-8", 1, "a a ")


@pytest.mark.parametrize(("letters", "claim_stands"), [(49, True), (48, False)])
def test_controls_where_an_iso_8859_has_none_speak_against_it(letters, claim_stands):
    decoded = decode_text("żab ".encode("iso8859-2") * letters + b"\x85", "text/html; charset=iso-8859-2")
    assert (decoded.encoding == "iso8859-2") is claim_stands
    assert decoded.damaged == 0


@pytest.mark.parametrize("cut", [1, 2, 3])
def test_a_character_cut_off_at_the_end_is_dropped(cut):
    assert decode_text("añb🙂".encode()[:-cut]) == Decoded("añb", "utf-8", None)


@pytest.mark.parametrize("header", [None, "text/html; charset=windows-1252", "x; charset=gbk", "x; charset=koi8-r"])
def test_binary_data_is_undecodable(header):
    noise = random.Random(5).randbytes(4000)
    for payload in (noise, b"\x89PNG\r\n\x1a\n" + noise, gzip.compress(noise), b"%PDF-1.7\n" + noise):
        with pytest.raises(Undecodable):
            decode_text(payload, header)


def test_controls_are_dropped_and_counted_and_newlines_made_plain():
    assert decode_text(b"a\0b\x1bc\x7f" + b"d" * 600 + b"\r\n\re\tf\x0cg\0\0\0") == Decoded(
        "abc" + "d" * 600 + "\n\ne\tf g", "utf-8", None, 0, 6
    )
    assert without_controls("a\ud800b\x01") == ("a\ufffdb", 1)
    assert without_controls("plain\n") == ("plain\n", 0)


def test_nothing_is_text():
    assert decode_text(b"") == Decoded("", "utf-8", None)
    assert decode_text(b"\0" * 500).text == ""


payloads = st.one_of(
    st.binary(max_size=300),
    st.text(max_size=100).map(lambda text: text.encode("utf-8", "replace")),
    st.builds(lambda text, encoding: text.encode(encoding, "replace"), st.text(max_size=100), st.sampled_from(sorted(TEXTS))),
)
headers = st.sampled_from(
    [None, "", "text/html", *(f"text/html; charset={label}" for label in (*TEXTS, "utf-7", "hz", "utf-16", "x-user-defined"))]
)


@meets(refused=6, read=10, beyond_ascii=7)
@given(payload=payloads, header=headers)
def test_whatever_comes_the_text_is_valid_or_refused(payload, header):
    try:
        decoded = decode_text(payload, header)
    except Undecodable:
        met["refused"] += 1
        return
    decoded.text.encode()
    assert not [c for c in decoded.text if (c < " " and c not in "\t\n") or c == "\x7f"]
    assert decode_text(payload, header) == decoded
    met["read"] += 1
    met["beyond_ascii"] += not decoded.text.isascii()


def test_real_pages_decode(real_data):
    pages = pl.read_parquet(real_data / "html_gold" / "pages.parquet", columns=["html"])["html"].to_list()
    assert all(decode_text(payload).damaged == 0 for payload in pages)
