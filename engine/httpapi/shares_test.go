package httpapi

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestSharesInOrder(t *testing.T) {
	var gone []string
	s := newShares(3)
	take := func(peer string, idle bool) *place {
		n := s.clock + 1
		return s.take(peer, idle, func() { gone = append(gone, fmt.Sprint(peer, n)) })
	}
	a1, a2, a3 := take("a", false), take("a", true), take("a", false)
	require.NotNil(t, take("a", true), "the idle one goes")
	require.Equal(t, []string{"a2"}, gone)
	a2.free() // it has gone already
	require.Equal(t, 3, s.taken())
	require.NotNil(t, take("a", true), "the idle one goes, though it is the newest")
	require.Equal(t, []string{"a2", "a4"}, gone)
	require.NotNil(t, take("b", false))
	require.Equal(t, []string{"a2", "a4", "a5"}, gone)
	require.Nil(t, take("a", true), "a is at work with its share")
	require.Nil(t, take("b", false), "b would have as many as a")
	require.NotNil(t, take("c", false), "a has most")
	require.Equal(t, []string{"a2", "a4", "a5", "a1"}, gone)
	a1.free() // it has gone already
	a3.rest(true)
	require.NotNil(t, take("d", false), "all have one, and that of a is idle")
	require.Equal(t, []string{"a2", "a4", "a5", "a1", "a3"}, gone)
	require.Nil(t, take("e", false), "all have one, and are at work")
	require.NotNil(t, take(userName(1000), false), "a user of the device comes before other machines")
	require.Equal(t, []string{"a2", "a4", "a5", "a1", "a3", "b6"}, gone)
	require.Equal(t, 3, s.taken())
}

// However peers come and go: there are never more places than there are, nobody loses one
// to a peer that has as many, and nobody is turned away while another has more.
func TestSharesAreFair(t *testing.T) {
	peers := []string{"a", "b", "c"}
	rapid.Check(t, func(t *rapid.T) {
		const size = 5
		s := newShares(size)
		var held []*place
		count := map[string]int{}
		lost := ""
		lose := func(i int) {
			count[held[i].peer]--
			held = slices.Delete(held, i, i+1)
		}
		t.Repeat(map[string]func(*rapid.T){
			"take": func(t *rapid.T) {
				peer := rapid.SampledFrom(peers).Draw(t, "peer")
				lost = ""
				p := s.take(peer, rapid.Bool().Draw(t, "idle"), func() { lost = "somebody" })
				if lost != "" {
					i := slices.IndexFunc(held, func(p *place) bool { return !s.has(p) })
					lost = held[i].peer
					lose(i)
					if lost != peer && count[lost] < count[peer] {
						t.Fatalf("%s has %d and took one of %s, which is left with %d", peer, count[peer], lost, count[lost])
					}
				}
				if p != nil {
					held = append(held, p)
					count[peer]++
				}
				for _, other := range peers {
					if p == nil && count[other] > count[peer]+1 {
						t.Fatalf("%s was turned away with %d, though %s has %d", peer, count[peer], other, count[other])
					}
				}
			},
			"free": func(t *rapid.T) {
				if len(held) > 0 {
					i := rapid.IntRange(0, len(held)-1).Draw(t, "which")
					held[i].free()
					lose(i)
				}
			},
			"rest": func(t *rapid.T) {
				if len(held) > 0 {
					held[rapid.IntRange(0, len(held)-1).Draw(t, "which")].rest(rapid.Bool().Draw(t, "idle"))
				}
			},
			"": func(t *rapid.T) {
				require.LessOrEqual(t, s.taken(), size)
				require.Equal(t, len(held), s.taken())
			},
		})
	})
}

func (s *shares) has(p *place) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.held[p]
	return ok
}

func TestTheKernelTellsWhoseAConnectionIs(t *testing.T) {
	for _, address := range []string{"127.0.0.1:0", "[::1]:0", ":0"} {
		l, err := net.Listen("tcp", address)
		require.NoError(t, err)
		defer l.Close()
		port := l.Addr().(*net.TCPAddr).Port
		for _, host := range []string{"127.0.0.1", "::1"} {
			c, err := net.Dial("tcp", net.JoinHostPort(host, fmt.Sprint(port)))
			if err != nil {
				continue // it does not listen there
			}
			near, err := l.Accept()
			require.NoError(t, err)
			require.Equal(t, userName(uint32(os.Getuid())), peerName(near), "%s by %s", address, host)
			// A socket without an owner is not root's.
			require.NoError(t, c.Close())
			require.Equal(t, "hung up", peerName(near))
			require.NoError(t, near.Close())
		}
	}
}

func TestOtherDevicesArePeersByTheirAddress(t *testing.T) {
	for address, want := range map[string]string{
		"192.0.2.7:80": "192.0.2.7", "[2001:db8:0:1:2::3]:80": "2001:db8:0:1::/64", "[::ffff:192.0.2.7]:80": "192.0.2.7",
	} {
		require.Equal(t, want, addressName(netip.MustParseAddrPort(address).Addr().Unmap()))
	}
}

func FuzzDiagOwner(f *testing.F) {
	f.Add([]byte{})
	f.Add(make([]byte, 88))
	f.Fuzz(func(_ *testing.T, answer []byte) { _, _, _ = diagOwner(answer) })
}

// Connections that have lost their place are closed after a while, or at once when too
// many wait for that.
func TestConnectionsAreParked(t *testing.T) {
	require.EqualValues(t, 256, parkable(1024))
	require.EqualValues(t, maxParked, parkable(1<<62))
	b := newBudget()
	b.mayPark = 1
	pipe := func() (near, far net.Conn) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		defer l.Close()
		far, err = net.Dial("tcp", l.Addr().String())
		require.NoError(t, err)
		near, err = l.Accept()
		require.NoError(t, err)
		return near, far
	}
	first, far := pipe()
	b.park(first)
	second, other := pipe()
	b.park(second)
	_, err := other.Read(make([]byte, 1))
	require.ErrorIs(t, err, syscall.ECONNRESET)
	require.EqualValues(t, 1, b.parked.Load())
	began := time.Now()
	_, err = far.Read(make([]byte, 1))
	require.ErrorIs(t, err, syscall.ECONNRESET)
	require.Greater(t, time.Since(began), parkingTime/2)
	require.Eventually(t, func() bool { return b.parked.Load() == 0 }, 5*time.Second, time.Millisecond)
}
