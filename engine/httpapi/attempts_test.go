package httpapi

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestAPeerMayErrATenthOfAMinute(t *testing.T) {
	var a attempts
	for range maxWrong {
		require.True(t, a.may("x", 0))
		a.failed("x", 0)
	}
	require.False(t, a.may("x", wrongEvery-1))
	require.True(t, a.may("y", 0))
	require.True(t, a.may("x", wrongEvery))
	a.failed("x", wrongEvery)
	require.False(t, a.may("x", wrongEvery))
	require.False(t, a.may("x", 2*wrongEvery-1))
	require.True(t, a.may("x", 2*wrongEvery))
	// After a long time all is forgiven.
	at := time.Hour
	for range maxWrong {
		require.True(t, a.may("x", at))
		a.failed("x", at)
	}
	require.False(t, a.may("x", at))
}

func TestPeersThatErrAreBounded(t *testing.T) {
	var a attempts
	for i := range 10 * maxPeers {
		a.failed(fmt.Sprint(i), time.Duration(i))
		require.LessOrEqual(t, len(a.peers), maxPeers)
	}
	_, newest := a.peers[fmt.Sprint(10*maxPeers-1)]
	require.True(t, newest)
}
