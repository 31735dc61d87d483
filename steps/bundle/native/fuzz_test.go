package native_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/platform/health"
	"github.com/tope/updater/steps"
	"github.com/tope/updater/steps/bundle"
	"github.com/tope/updater/steps/bundle/native"
	"github.com/tope/updater/steps/bundle/native/nativetest"
	"github.com/tope/updater/steps/bundle/pack"
)

// requireRefusal requires an error that blames the bytes.
func requireRefusal(t *testing.T, err error) {
	t.Helper()
	require.Equal(t, steps.Refused, steps.AsError(err).Class, "%v", err)
}

// For any bytes, a release that is read keeps the rules, and its members lie after the
// head without overlap. When it is written again, it reads the same.
func FuzzParseRelease(f *testing.F) {
	parts := nativetest.New(f).Parts()
	sound, err := parts.Release.Encode()
	require.NoError(f, err)
	f.Add(sound)
	f.Add([]byte(`{"schema":2,"product":"p","version":"1.0.0","epoch":0,"created":"2026-01-01T00:00:00Z","payload":{},"files":[` +
		`{"path":"a","mode":"0755 cap_net_raw=ep"},{"path":"b","mode":"0600"}]}`))
	f.Add([]byte(`{"schema":1,"product":"p","version":"1.0.0","epoch":0,"created":"2026-01-01T00:00:00Z","payload":{},"files":[]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := native.ParseRelease(data, bundle.DefaultLimits())
		if err != nil {
			requireRefusal(t, err)
			return
		}
		require.NoError(t, health.Released(r.Health))
		for i := range r.Files {
			if f := &r.Files[i]; f.Mode != "" {
				require.Equal(t, f.Mode, native.ModeText(f.Perm(), f.Capabilities()), "one text for one meaning")
				require.True(t, r.Schema > 1 || f.Capabilities().None())
			}
		}
		require.LessOrEqual(t, r.LeastSchema(), native.Schema)
		const head = 4096
		l, at := r.Layout(head), int64(head)
		spans := append([]native.Span{}, l.Alone...)
		if r.Payload.Solid != nil {
			spans = append([]native.Span{l.Solid}, spans...)
		}
		for _, s := range append(spans, l.Patches...) {
			require.GreaterOrEqual(t, s.Offset, at)
			require.Positive(t, s.Length)
			require.Less(t, s.Length, int64(math.MaxInt64)-s.Offset)
			at = s.End()
		}
		require.GreaterOrEqual(t, l.Total, at+1024)
		require.Zero(t, l.Total%512)
		again, err := r.Encode()
		require.NoError(t, err)
		back, err := native.ParseRelease(again, bundle.DefaultLimits())
		require.NoError(t, err)
		want, err := json.Marshal(r)
		require.NoError(t, err)
		got, err := json.Marshal(back)
		require.NoError(t, err)
		require.JSONEq(t, string(want), string(got))
	})
}

// The head is bounded, and each answer of HeadSize asks for more of the file. The two
// members that Split returns are those that the tar has to have.
func FuzzHead(f *testing.F) {
	kit := nativetest.New(f)
	file := kit.Make(f, nativetest.Edit{})
	begin, err := native.ReadBegin(bytes.NewReader(file))
	require.NoError(f, err)
	f.Add(begin)
	f.Add(begin[:512])
	f.Add(begin[:1500])
	f.Add(pack.Head([]byte("x"), []byte("y")))
	f.Fuzz(func(t *testing.T, data []byte) {
		begin, err := native.ReadBegin(bytes.NewReader(data))
		if err != nil {
			requireRefusal(t, err)
			return
		}
		require.LessOrEqual(t, len(begin), native.MaxPacked+native.MaxSignature+4*512)
		packed, signature, err := native.Split(begin)
		if err != nil {
			requireRefusal(t, err)
			return
		}
		require.Equal(t, pack.Head(packed, signature), begin)
		asked := errors.New("asked")
		_, err = native.ReadHead(begin, bundle.DefaultLimits(), func(p, s []byte) error {
			require.Equal(t, packed, p)
			require.Equal(t, signature, s)
			return asked
		})
		require.ErrorIs(t, err, asked, "the signature comes first")
		if _, err = native.ReadHead(begin, bundle.DefaultLimits(), func([]byte, []byte) error { return nil }); err != nil {
			requireRefusal(t, err)
		}
	})
}

// A patch makes as many bytes as it declares, or is refused.
func FuzzApplyPatch(f *testing.F) {
	parts := nativetest.New(f).Parts()
	p := parts.Release.Payload.Patches[0]
	size := parts.Release.Files[p.File].Size
	f.Add(nativetest.Old()["services/app/changed"], parts.Patches[0], size)
	f.Add([]byte("base"), nativetest.Compress(f, []byte("new")), int64(3))
	f.Add([]byte{}, []byte("\x28\xb5\x2f\xfd\xe0\x00\x00\x00\x00\x00\x01\x00\x00\x01\x00\x00"), int64(1<<20))
	f.Fuzz(func(t *testing.T, base, patch []byte, size int64) {
		if size < 1 || size > 1<<20 {
			return
		}
		out, err := native.ApplyPatch(base, patch, size)
		if err != nil {
			requireRefusal(t, err)
			return
		}
		require.Len(t, out, int(size))
	})
}
