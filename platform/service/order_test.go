package service_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/tope/updater/platform/service"
)

// parse reads "a:b,c d" as: a after b and c, d after nothing.
func parse(text string) []service.Service {
	var all []service.Service
	for _, word := range strings.Fields(text) {
		name, after, _ := strings.Cut(word, ":")
		s := service.Service{Name: name}
		if after != "" {
			s.After = strings.Split(after, ",")
		}
		all = append(all, s)
	}
	return all
}

func names(services []service.Service) string {
	var all []string
	for _, s := range services {
		all = append(all, s.Name)
	}
	return strings.Join(all, " ")
}

func TestOrder(t *testing.T) {
	for _, c := range []struct{ name, in, out, fails string }{
		{name: "none"},
		{name: "unrelated services keep their order", in: "c b a", out: "c b a"},
		{name: "a dependency goes first", in: "web:api api", out: "api web"},
		{name: "a chain", in: "c:b b:a a", out: "a b c"},
		{name: "a diamond", in: "d:b,c c:a b:a a", out: "a b c d"},
		{name: "a name that is not ours is passed over", in: "web:network api", out: "web api"},
		{name: "itself", in: "a:a", fails: "a after a"},
		{name: "a cycle", in: "x a:b b:c c:a", fails: "a after b after c after a"},
		{name: "a cycle with a way in", in: "way:a a:b b:a", fails: "a after b after a"},
		{name: "one name twice", in: "a a", fails: "service a is configured twice"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := service.Order(parse(c.in))
			if c.fails != "" {
				require.ErrorContains(t, err, c.fails)
				if strings.Contains(c.fails, "after") {
					require.ErrorIs(t, err, service.ErrCycle)
				}
				return
			}
			require.NoError(t, err)
			require.Equal(t, c.out, names(got))
		})
	}
}

// Whatever the graph, the order has every service once and none before what it waits for.
func TestOrderHoldsForAnyGraph(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 8).Draw(t, "n")
		all := make([]service.Service, n)
		for i := range all {
			all[i].Name = string(rune('a' + i))
			// Edges go one way only, so that there is no cycle.
			for j := range i {
				if rapid.Bool().Draw(t, "edge") {
					all[i].After = append(all[i].After, string(rune('a'+j)))
				}
			}
		}
		got, err := service.Order(rapid.Permutation(all).Draw(t, "given"))
		require.NoError(t, err)
		require.Len(t, got, n)
		at := func(name string) int {
			return slices.IndexFunc(got, func(s service.Service) bool { return s.Name == name })
		}
		for _, s := range all {
			require.GreaterOrEqual(t, at(s.Name), 0)
			for _, before := range s.After {
				require.Less(t, at(before), at(s.Name))
			}
		}
	})
}
