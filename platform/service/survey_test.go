package service_test

import (
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/tope/updater/platform/clock/clocktest"
	"github.com/tope/updater/platform/service"
	"github.com/tope/updater/platform/service/servicetest"
)

// orderings reads "a>b c~d": a after b, and c after d by implication.
func orderings(text string) []service.Ordering {
	var all []service.Ordering
	for _, word := range strings.Fields(text) {
		name, after, strong := strings.Cut(word, ">")
		if !strong {
			name, after, _ = strings.Cut(word, "~")
		}
		all = append(all, service.Ordering{Name: name, After: after, Weak: !strong})
	}
	return all
}

func TestOrderBySurvey(t *testing.T) {
	for _, c := range []struct{ name, services, orders, out, over string }{
		{name: "nothing is known", services: "b a", out: "b a"},
		{name: "the units' order counts", services: "web api", orders: "web>api", out: "api web"},
		{name: "a requirement implies an order", services: "web api", orders: "web~api", out: "api web"},
		{name: "the configuration's order counts too", services: "c b:a a", orders: "c>b", out: "a b c"},
		{name: "a unit that is not a service is passed over", services: "web api", orders: "web>network api>web", out: "web api"},
		{name: "the configuration outweighs the units", services: "api:web web", orders: "web>api", out: "web api", over: "web after api"},
		{name: "an order outweighs an implied one", services: "a b", orders: "a~b b>a", out: "a b", over: "a after b"},
		{name: "a cycle is opened where it is closed last", services: "x a b c", orders: "c>a b>c a>b", out: "x c b a", over: "c after a"},
		{name: "said twice is said once", services: "web:api api", orders: "web>api web~api", out: "api web"},
		{name: "a unit after itself", services: "a", orders: "a>a", out: "a"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := service.Survey{Orderings: orderings(c.orders)}
			got, over, err := s.Order(parse(c.services))
			require.NoError(t, err)
			require.Equal(t, c.out, names(got))
			var said []string
			for _, l := range over {
				said = append(said, l.String())
			}
			require.Equal(t, c.over, strings.Join(said, ", "))
		})
	}
	_, _, err := service.Survey{}.Order(parse("a:b b:a"))
	require.ErrorIs(t, err, service.ErrCycle, "the configuration's own cycle is an error")
}

// Whatever orderings the units have, and however these are sorted, the sequence is
// the same. It has every service once, and keeps every ordering not passed over.
func TestOrderBySurveyHoldsForAnyLinks(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.SampledFrom([]string{"a", "b", "c", "d", "e"})
		all := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) service.Ordering {
			return service.Ordering{Name: name.Draw(t, "name"), After: name.Draw(t, "after"), Weak: rapid.Bool().Draw(t, "weak")}
		}), 0, 12).Draw(t, "links")
		got, over, err := service.Survey{Orderings: all}.Order(parse("a b c d e"))
		require.NoError(t, err)
		require.Len(t, got, 5)
		at := map[string]int{}
		for i, s := range got {
			at[s.Name] = i
		}
		passed := map[service.Ordering]bool{}
		for _, l := range over {
			passed[l] = true
		}
		for _, l := range all {
			if l.Name != l.After && !passed[l] {
				require.Less(t, at[l.After], at[l.Name], "%s", l)
			}
		}
		again, _, err := service.Survey{Orderings: rapid.Permutation(all).Draw(t, "permuted")}.Order(parse("a b c d e"))
		require.NoError(t, err)
		require.Equal(t, names(got), names(again))
	})
}

func TestAHoldIsTakenOnceAndLetGoOnce(t *testing.T) {
	m := servicetest.NewFake(clocktest.New(), "api")
	h := service.NewHold(m, slog.New(slog.DiscardHandler))
	h.Release()
	require.Zero(t, m.Held())
	h.Take(t.Context(), "a test")
	h.Take(t.Context(), "a test")
	require.Equal(t, 1, m.Held())
	h.Release()
	h.Release()
	require.Zero(t, m.Held())
	m.RefuseInhibit(errors.New("no logind"))
	h.Take(t.Context(), "a test")
	h.Release()
	var none *service.Hold
	none.Take(t.Context(), "a test")
	none.Release()
}

func TestUnitNames(t *testing.T) {
	for want, s := range map[string]service.Service{
		"api.service":  {Name: "api"},
		"web.service":  {Name: "api", Unit: "web"},
		"ui@1.service": {Name: "api", Unit: "ui@1.service"},
		"api.target":   {Name: "api", Unit: "api.target"},
		"api.socket":   service.Unit("api.socket"),
	} {
		require.Equal(t, want, s.UnitName())
	}
}
