package house_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// maxWords is what README.md may have: a newcomer reads it in ten minutes.
const maxWords = 2500

func read(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile("../../../" + name)
	require.NoError(t, err)
	return string(data)
}

func TestReadmeIsShort(t *testing.T) {
	words := len(strings.Fields(read(t, "README.md")))
	require.LessOrEqual(t, words, maxWords, "move what fewer readers need to a page of docs/")
}

// README has exactly one link to each page that took over its tables, in both languages.
func TestReadmeLeadsToItsPages(t *testing.T) {
	for _, page := range []string{"figures.md", "compared.md", "glossary.md"} {
		require.Equal(t, 1, strings.Count(read(t, "README.md"), "(docs/"+page+")"), page)
		require.Equal(t, 1, strings.Count(read(t, "README.zh.md"), "(docs/zh/"+page+")"), page)
	}
}

var (
	block   = regexp.MustCompile("(?ms)^```.*?^```$")
	heading = regexp.MustCompile(`(?m)^#+ `)
	gap     = regexp.MustCompile(`  .*`)
)

// Both languages have the same headings, by level, and the same blocks: in a line of a
// block, the text before two blanks is the same, and the remark behind them is translated.
func TestReadmeIsTheSameInBothLanguages(t *testing.T) {
	headings := func(name string) []string {
		return heading.FindAllString(block.ReplaceAllString(read(t, name), ""), -1)
	}
	blocks := func(name string) []string {
		found := block.FindAllString(read(t, name), -1)
		for i, b := range found {
			lines := strings.Split(b, "\n")
			for j, line := range lines {
				lines[j] = gap.ReplaceAllString(strings.TrimSpace(line), "")
			}
			found[i] = strings.Join(lines, "\n")
		}
		return found
	}
	require.Equal(t, headings("README.md"), headings("README.zh.md"))
	require.NotEmpty(t, blocks("README.md"))
	require.Equal(t, blocks("README.md"), blocks("README.zh.md"))
}
