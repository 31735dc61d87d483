package guides_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/cmd/internal/guidetest"
)

const (
	docs    = "../../../docs"
	chinese = "zh"
)

// pages are all pages of the documentation, in both languages.
func pages(t *testing.T) []string {
	t.Helper()
	var all []string
	for _, pattern := range []string{"../../../*.md", docs + "/*.md", docs + "/zh/*.md", docs + "/decisions/*.md"} {
		found, err := filepath.Glob(pattern)
		require.NoError(t, err)
		all = append(all, found...)
	}
	require.Greater(t, len(all), 20)
	return all
}

var (
	link    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading = regexp.MustCompile(`(?m)^#+ (.+)$`)
	code    = regexp.MustCompile("(?ms)^```.*?^```$")
	inline  = regexp.MustCompile("`[^`\n]*`")
)

// anchor is the address that GitHub gives a heading.
func anchor(text string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(strings.TrimSpace(text)) {
		switch {
		case unicode.IsLetter(r), unicode.IsDigit(r), r == '-', r == '_':
			b.WriteRune(r)
		case r == ' ':
			b.WriteRune('-')
		}
	}
	return b.String()
}

func anchors(t *testing.T, path string) map[string]bool {
	t.Helper()
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	all := map[string]bool{}
	for _, m := range heading.FindAllStringSubmatch(code.ReplaceAllString(string(data), ""), -1) {
		all[anchor(m[1])] = true
	}
	return all
}

// A link leads to a file that is there, and to a heading that it has.
func TestLinksLeadSomewhere(t *testing.T) {
	for _, page := range pages(t) {
		data, err := os.ReadFile(page)
		require.NoError(t, err)
		text := inline.ReplaceAllString(code.ReplaceAllString(string(data), ""), "")
		for _, m := range link.FindAllStringSubmatch(text, -1) {
			target := m[1]
			if strings.Contains(target, "://") {
				continue
			}
			file, part, _ := strings.Cut(target, "#")
			path := page
			if file != "" {
				path = filepath.Join(filepath.Dir(page), file)
			}
			if _, err := os.Stat(path); err != nil {
				t.Errorf("%s: the link %s leads nowhere", page, target)
				continue
			}
			if part != "" && !anchors(t, path)[part] {
				t.Errorf("%s: the link %s leads to no heading", page, target)
			}
		}
	}
}

// translated are the pages that are in both languages, by their path from docs.
func translated(t *testing.T) []string {
	t.Helper()
	found, err := filepath.Glob(docs + "/zh/*.md")
	require.NoError(t, err)
	names := make([]string, len(found))
	for i, f := range found {
		names[i] = filepath.Base(f)
	}
	for _, name := range append(guidetest.Tour(), "configuration.md") {
		require.Contains(t, names, name, "docs/zh")
	}
	return names
}

// commandsOf are a guide's commands, without the remarks between them.
func commandsOf(t *testing.T, path string) []string {
	t.Helper()
	var all []string
	for _, b := range guidetest.Blocks(t, path) {
		all = append(all, string(b.Kind))
		for line := range strings.SplitSeq(b.Text, "\n") {
			line, _, _ = strings.Cut(line, "  #")
			if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
				all = append(all, line)
			}
		}
	}
	return all
}

// A reader of Chinese types the same commands as a reader of English, and the
// test of the English guide runs them for both.
func TestBothLanguagesHaveTheSameCommands(t *testing.T) {
	for _, name := range translated(t) {
		require.Equal(t, commandsOf(t, guidetest.Path("", name)), commandsOf(t, guidetest.Path(chinese, name)), name)
	}
}

// A heading in one language has its counterpart in the other, of the same level.
func TestBothLanguagesHaveTheSameSections(t *testing.T) {
	level := regexp.MustCompile(`(?m)^#+ `)
	levels := func(path string) []string {
		data, err := os.ReadFile(path)
		require.NoError(t, err)
		return level.FindAllString(code.ReplaceAllString(string(data), ""), -1)
	}
	for _, name := range translated(t) {
		require.Equal(t, levels(guidetest.Path("", name)), levels(guidetest.Path(chinese, name)), name)
	}
}

// Each of the two pages has a link to the other at its top.
func TestLanguagesKnowEachOther(t *testing.T) {
	top := func(path string) string {
		data, err := os.ReadFile(path)
		require.NoError(t, err)
		return string(data[:min(len(data), 400)])
	}
	for _, name := range translated(t) {
		require.Contains(t, top(guidetest.Path("", name)), "(zh/"+name+")", name)
		require.Contains(t, top(guidetest.Path(chinese, name)), "(../"+name+")", name)
	}
	require.Contains(t, top("../../../README.md"), "(README.zh.md)")
	require.Contains(t, top("../../../README.zh.md"), "(README.md)")
}

// The figures were measured once: both languages have the same ones.
func TestBothLanguagesHaveTheSameFigures(t *testing.T) {
	figures := func(path string) [][]string {
		data, err := os.ReadFile(path)
		require.NoError(t, err)
		var rows [][]string
		lines := strings.Split(string(data), "\n")
		for i, line := range lines[:len(lines)-1] {
			if head := strings.HasPrefix(lines[i+1], "| --"); head || !strings.HasPrefix(line, "| ") || !strings.ContainsAny(line, "0123456789") {
				continue
			}
			cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
			for i := range cells {
				cells[i] = strings.TrimSpace(cells[i])
			}
			rows = append(rows, cells[1:])
		}
		return rows
	}
	english := figures(guidetest.Path("", "figures.md"))
	require.NotEmpty(t, english)
	require.Equal(t, english, figures(guidetest.Path(chinese, "figures.md")))
}

// A block that is not run has a reason.
func TestWhatIsNotRunSaysWhy(t *testing.T) {
	for _, name := range guidetest.Tour() {
		for _, b := range guidetest.Blocks(t, guidetest.Path("", name)) {
			require.False(t, b.Kind == guidetest.Unrun && b.Why == "", "%s:%d: the block is neither run nor says why", name, b.Line)
		}
	}
}
