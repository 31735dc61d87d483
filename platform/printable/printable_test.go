package printable_test

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/platform/printable"
)

func TestLine(t *testing.T) {
	for text, want := range map[string]string{
		"":                        "",
		"喷嘴 für Größe 3":          "喷嘴 für Größe 3",
		"می\u200cخواهم":           "می\u200cخواهم", // with a joiner, which turns nothing
		"a\u202egpj.exe":          "a gpj.exe",
		"\u2066a\u2069\u200e":     " a  ",
		"\x1b[2Ja\r\n\tb\x7f":     " [2Ja   b ",
		"\u009b31m":               " 31m",
		"one\u2028two\u2029three": "one two three",
		"\xff\xfe":                "\uFFFD",
	} {
		require.Equal(t, want, printable.Line(text), "%q", text)
		require.Equal(t, want == text, printable.IsLine(text), "%q", text)
	}
	require.Equal(t, "a \nb ", printable.Lines("a\r\nb\u202e"))
}

// Each character is shown, or cannot do any harm.
func TestEveryCharacter(t *testing.T) {
	for r := rune(0); r <= unicode.MaxRune; r++ {
		if !utf8.ValidRune(r) {
			continue
		}
		harmless := !unicode.IsControl(r) && !unicode.Is(unicode.Bidi_Control, r) && !unicode.In(r, unicode.Zl, unicode.Zp)
		require.Equal(t, harmless, printable.IsLine(string(r)), "%U", r)
		text, err := json.Marshal("a" + string(r) + "b")
		require.NoError(t, err)
		shown := string(printable.JSON(text))
		require.True(t, printable.IsLine(shown), "%U", r)
		var back string
		require.NoError(t, json.Unmarshal([]byte(shown), &back))
		require.Equal(t, "a"+string(r)+"b", back)
	}
}

func TestJSONKeepsItsLayout(t *testing.T) {
	text := "{\n\t\"a\": \"x\u202e\"\r\n}\n"
	require.Equal(t, strings.ReplaceAll(text, "\u202e", `\u202e`), string(printable.JSON([]byte(text))))
	plain := []byte("{\n}\n")
	require.Equal(t, &plain[0], &printable.JSON(plain)[0], "nothing is copied")
}
