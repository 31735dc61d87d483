package service_test

import (
	"errors"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/tope/updater/platform/service"
)

// meeting lets calls go on only once all of them have begun.
type meeting struct{ sync.WaitGroup }

func (m *meeting) attend() {
	m.Done()
	m.Wait()
}

// Services that do not wait for each other are under way at the same time: each waits
// here for all the others, so that a sequence would never end.
func TestIndependentServicesGoTogether(t *testing.T) {
	var list []service.Service
	for _, name := range []string{"a", "b", "c", "d"} {
		list = append(list, service.Service{Name: name, After: []string{"somebody else"}})
	}
	for _, backwards := range []bool{false, true} {
		var all meeting
		all.Add(len(list))
		done, errs := service.Together(list, backwards, func(int, service.Service) error {
			all.attend()
			return nil
		})
		require.Empty(t, errs)
		want := slices.Clone(list)
		if backwards {
			slices.Reverse(want)
		}
		require.Equal(t, want, done)
	}
}

// Whatever the order, no service begins before those that it waits for are over, and all
// have their turn.
func TestAServiceWaitsForThoseBeforeIt(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var list []service.Service
		for i := range rapid.IntRange(0, 12).Draw(t, "n") {
			s := service.Service{Name: string(rune('a' + i))}
			for j := range i {
				if rapid.Bool().Draw(t, "after") {
					s.After = append(s.After, string(rune('a'+j)))
				}
			}
			list = append(list, s)
		}
		backwards := rapid.Bool().Draw(t, "backwards")
		var mu sync.Mutex
		over := map[string]bool{}
		_, errs := service.Together(list, backwards, func(_ int, s service.Service) error {
			mu.Lock()
			defer mu.Unlock()
			for _, other := range list {
				first := slices.Contains(s.After, other.Name)
				if backwards {
					first = slices.Contains(other.After, s.Name)
				}
				if first && !over[other.Name] {
					return errors.New(s.Name + " has not waited for " + other.Name)
				}
			}
			over[s.Name] = true
			return nil
		})
		require.Empty(t, errs)
		require.Len(t, over, len(list))
	})
}

// A failure keeps others from beginning; those under way end, and all failures are told.
func TestAFailureEndsWhatHasBegun(t *testing.T) {
	list := []service.Service{{Name: "a"}, {Name: "b"}, {Name: "c"}, {Name: "later", After: []string{"c"}}}
	var all meeting
	all.Add(3)
	bad := errors.New("bad")
	done, errs := service.Together(list, false, func(_ int, s service.Service) error {
		require.NotEqual(t, "later", s.Name)
		all.attend()
		if s.Name == "b" {
			return nil
		}
		return errors.Join(bad, errors.New(s.Name))
	})
	require.Equal(t, []service.Service{{Name: "b"}}, done)
	require.Len(t, errs, 2)
	require.ErrorContains(t, errs[0], "a")
	require.ErrorContains(t, errs[1], "c")

	require.PanicsWithValue(t, "crash", func() {
		_, _ = service.Together(list, false, func(int, service.Service) error { panic("crash") })
	})
}
