package engine_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/engine"
)

// The table of rules in docs/architecture.md has exactly the rules, each once.
func TestTheTableOfRulesIsComplete(t *testing.T) {
	text, err := os.ReadFile("../docs/architecture.md")
	require.NoError(t, err)
	_, table, found := strings.Cut(string(text), "| rule | when | what is done |\n")
	require.True(t, found, "docs/architecture.md has no table of rules")
	table, _, _ = strings.Cut(table, "\n\n")
	var told []engine.Rule
	for line := range strings.Lines(table) {
		cell, _, _ := strings.Cut(strings.TrimPrefix(line, "|"), "|")
		for _, name := range regexp.MustCompile("`([a-z-]+)`").FindAllStringSubmatch(cell, -1) {
			told = append(told, engine.Rule(name[1]))
		}
	}
	require.ElementsMatch(t, engine.Rules(), told)
}

// Rules returns every constant of type Rule that is declared.
func TestRulesIsComplete(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "rules.go", nil, 0)
	require.NoError(t, err)
	declared := 0
	ast.Inspect(file, func(n ast.Node) bool {
		if spec, ok := n.(*ast.ValueSpec); ok {
			if typ, ok := spec.Type.(*ast.Ident); ok && typ.Name == "Rule" {
				declared += len(spec.Names)
			}
		}
		return true
	})
	require.Len(t, engine.Rules(), declared)
}
