package house_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// word is a pattern that comments, messages and guides do not use, and the
// words to use instead.
type word struct {
	pattern *regexp.Regexp
	instead string
	// unless, when not nil, matches a longer text around a find that is right.
	unless *regexp.Regexp
}

// words has only patterns that a program can judge with certainty.
var words = sync.OnceValue(func() []word {
	of := func(pattern, instead string, unless ...string) word {
		w := word{pattern: regexp.MustCompile(`(?i)\b(?:` + pattern + `)\b`), instead: instead}
		if len(unless) > 0 {
			w.unless = regexp.MustCompile(`(?i)` + strings.Join(unless, "|"))
		}
		return w
	}
	return []word{
		// The glossary's words have no synonyms.
		of(`firmware`, `"release"`),
		of(`(?:black|block|deny)list(?:s|ed)?`, `"quarantine"`),
		of(`revert(?:s|ed|ing)?`, `"roll back"`),
		of(`cut-?over`, `"switch"`),
		of(`logbook|audit log`, `"journal"`),
		of(`health probes?`, `"health check", or "health gate" for all of them`),
		of(`point of no (?:going back|way back)`, `"point of no return"`),
		// The field's own words.
		of(`circles?|circular`, `"cycle"`),
		of(`mend(?:s|ed|ing)?`, `"repair"`),
		of(`for ever`, `"without limit", "without end" or "for good"`),
		of(`hangs? together`, `"depend on each other"`),
		of(`gone on with|come to from`, `a clause with a subject`),
		of(`beside (?:all (?:that|this)|its (?:files|programs|services|input)|the (?:usual|configured) ones)`,
			`"besides", "as well as" or "in addition to"; "beside" is for places`),
		of(`(?:is|are|was|were) no [a-z]+`, `"is not a …", or "there is no …"`,
			`\bthere(?: \w+){0,3} (?:is|are|was|were) no\b`,
			`\b(?:is|are|was|were) no (?:longer|more|less|better|worse|newer|older|larger|smaller|earlier|later)\b`),
	}
})

// TestWords holds comments, string literals and English guides to the glossary
// and to plain words.
func TestWords(t *testing.T) {
	top, err := filepath.Abs("../../..")
	require.NoError(t, err)
	for _, rel := range proseFiles(t, top) {
		finds, err := findWords(filepath.Join(top, rel))
		require.NoError(t, err)
		for _, f := range finds {
			t.Errorf("%s:%s", rel, f)
		}
	}
}

// TestWordsAreCertain has the sentences that the patterns must find, and those
// that they must leave alone.
func TestWordsAreCertain(t *testing.T) {
	for text, want := range map[string]bool{
		"services wait in a circle":                           true,
		"it encircles nothing, and a circlet is not one":      false,
		"what is no link is left alone":                       true,
		"units that are no service of ours":                   true,
		"it is no longer there":                               false,
		"there is no such version":                            false,
		"There really are no keys":                            false,
		"there is no link that is no longer ours":             false,
		"there is no link which is no file":                   true,
		"a device without one is no\nerror":                   true,
		"the answer is no":                                    false,
		"it waits for ever":                                   true,
		"forever":                                             false,
		"recovery mends it":                                   true,
		"an amendment":                                        false,
		"find out how the services hang together":             true,
		"what it brings beside its files":                     true,
		"the manifest beside the file, and its own beside it": false,
		"the directory beside this one":                       false,
		"put the release onto the blocklist":                  true,
	} {
		require.Equal(t, want, len(judge(text)) > 0, "%q: %v", text, judge(text))
	}
}

// judge returns what is wrong with a text.
func judge(text string) []string {
	text = strings.Join(strings.Fields(text), " ")
	var wrong []string
	for _, w := range words() {
		var right [][]int
		if w.unless != nil {
			right = w.unless.FindAllStringIndex(text, -1)
		}
		for _, at := range w.pattern.FindAllStringIndex(text, -1) {
			if !slices.ContainsFunc(right, func(r []int) bool { return r[0] <= at[0] && at[0] < r[1] }) {
				around := text[max(0, at[0]-40):min(len(text), at[1]+20)]
				wrong = append(wrong, fmt.Sprintf("%q in %q: write %s", text[at[0]:at[1]], around, w.instead))
			}
		}
	}
	return wrong
}

// proseFiles are the Go files and the English guides, relative to top.
func proseFiles(t *testing.T, top string) (files []string) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(top, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == top {
			return err
		}
		rel, err := filepath.Rel(top, path)
		switch {
		case err != nil:
			return err
		case d.IsDir() && (strings.HasPrefix(d.Name(), ".") || slices.Contains([]string{"bin", "dist", "testdata", "docs/zh", "docs/man"}, rel)):
			return fs.SkipDir
		case d.IsDir() || rel == "cmd/internal/house/words_test.go" || rel == "CHANGELOG.md" || strings.HasSuffix(rel, ".zh.md"):
			return nil
		case filepath.Ext(rel) == ".go" || filepath.Ext(rel) == ".md":
			files = append(files, rel)
		}
		return nil
	}))
	return files
}

// findWords returns what is wrong in a file, each with its line.
func findWords(file string) (finds []string, err error) {
	check := func(line int, text string) {
		for _, wrong := range judge(text) {
			finds = append(finds, fmt.Sprintf("%d: %s", line, wrong))
		}
	}
	if filepath.Ext(file) == ".md" {
		text, err := os.ReadFile(file)
		guideText(string(text), check)
		return finds, err
	}
	set := token.NewFileSet()
	parsed, err := parser.ParseFile(set, file, nil, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	for _, c := range parsed.Comments {
		check(set.Position(c.Pos()).Line, c.Text())
	}
	ast.Inspect(parsed, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.ImportSpec:
			return false
		case *ast.Field:
			n.Tag = nil // its keys are part of a format
		case *ast.BasicLit:
			if text, err := strconv.Unquote(n.Value); err == nil && n.Kind == token.STRING {
				check(set.Position(n.Pos()).Line, text)
			}
		}
		return true
	})
	return finds, nil
}

// guideText calls check with each paragraph of a guide, without its code and the
// targets of its links.
func guideText(text string, check func(line int, text string)) {
	code := regexp.MustCompile("`[^`]*`|\\]\\([^)]*\\)")
	var paragraph []string
	fenced := false
	for i, l := range append(strings.Split(text, "\n"), "") {
		fence := strings.HasPrefix(strings.TrimSpace(l), "```")
		if fenced = fenced != fence; fenced || fence || strings.TrimSpace(l) == "" {
			check(i+1-len(paragraph), code.ReplaceAllString(strings.Join(paragraph, " "), "…"))
			paragraph = nil
			continue
		}
		paragraph = append(paragraph, l)
	}
}
