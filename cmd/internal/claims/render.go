package claims

import (
	"fmt"
	"slices"
	"strings"
)

// tongue is a language of the guides.
type tongue struct {
	// dir is where its pages are, from the top of the source; suffix is what the
	// README's name has.
	dir, suffix string
	word        func(Word) string
	yes, listed string
}

func tongues() []tongue {
	return []tongue{
		{dir: "docs", word: func(w Word) string { return w.English }, yes: "yes", listed: ", "},
		{dir: "docs/zh", suffix: ".zh", word: func(w Word) string { return w.Chinese }, yes: "通过", listed: "、"},
	}
}

// name is what readers call a row.
func (g tongue) name(k Kind, r Row) string {
	for _, w := range k.Names {
		if w.ID == r.Name {
			return g.word(w)
		}
	}
	return r.Name
}

// table has a column for each row of the data: there are more checks than systems.
func (g tongue) table(k Kind, rows []Row) string {
	var b strings.Builder
	line := func(head string, cell func(Row) string) {
		fmt.Fprintf(&b, "| %s |", head)
		for _, r := range rows {
			fmt.Fprintf(&b, " %s |", cell(r))
		}
		b.WriteString("\n")
	}
	line(g.word(k.Head), func(r Row) string { return g.name(k, r) })
	line("---", func(Row) string { return "---" })
	for _, f := range k.Facts {
		line(g.word(f), func(r Row) string { return r.Facts[f.ID] })
	}
	for _, c := range k.Checks {
		line(g.word(c), func(r Row) string {
			if slices.Contains(r.Passed, c.ID) {
				return g.yes
			}
			return "–"
		})
	}
	return b.String()
}

// line names the rows on which every check passed, with their first fact.
func (g tongue) line(k Kind, rows []Row) string {
	var all []string
	for _, r := range rows {
		if len(r.Passed) < len(k.Checks) {
			continue
		}
		said := g.name(k, r)
		if len(k.Facts) > 0 {
			said += " (" + g.word(k.Facts[0]) + " " + r.Facts[k.Facts[0].ID] + ")"
		}
		all = append(all, said)
	}
	return strings.Join(all, g.listed) + "\n"
}
