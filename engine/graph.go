package engine

import (
	"fmt"
	"strings"
)

// Graph draws the table as a Mermaid state diagram: docs/architecture.md and
// `journal graph` show it. The order is the table's, so that it is stable.
func Graph() string {
	var b strings.Builder
	b.WriteString("stateDiagram-v2\n")
	for _, t := range Table() {
		from := string(t.From)
		if t.From == Idle {
			from = "[*]"
		}
		label := string(t.Trigger)
		if t.Guard.Name != "" {
			label += " [" + t.Guard.Name + "]"
		}
		fmt.Fprintf(&b, "    %s --> %s: %s\n", from, t.To, label)
	}
	for _, s := range States() {
		if Terminal(s) {
			fmt.Fprintf(&b, "    %s --> [*]\n", s)
		}
	}
	return b.String()
}
