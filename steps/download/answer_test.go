package download

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

const day = "Mon, 05 Jan 2026 10:00:00 GMT"

func TestMarks(t *testing.T) {
	cases := map[string]struct {
		header map[string]string
		strong string
	}{
		"strong tag":                   {map[string]string{"ETag": `"a"`}, `"a"`},
		"strong tag before the date":   {map[string]string{"ETag": `"a"`, "Last-Modified": day, "Date": "Mon, 05 Jan 2026 11:00:00 GMT"}, `"a"`},
		"weak tag":                     {map[string]string{"ETag": `W/"a"`}, ""},
		"weak tag and a settled date":  {map[string]string{"ETag": `W/"a"`, "Last-Modified": day, "Date": "Mon, 05 Jan 2026 11:00:00 GMT"}, day},
		"tag without quotes":           {map[string]string{"ETag": `a`}, ""},
		"settled date":                 {map[string]string{"Last-Modified": day, "Date": "Mon, 05 Jan 2026 10:00:01 GMT"}, day},
		"changed within the second":    {map[string]string{"Last-Modified": day, "Date": day}, ""},
		"changed in the future":        {map[string]string{"Last-Modified": day, "Date": "Mon, 05 Jan 2026 09:00:00 GMT"}, ""},
		"server without a clock":       {map[string]string{"Last-Modified": day}, ""},
		"unreadable date":              {map[string]string{"Last-Modified": "yesterday", "Date": day}, ""},
		"a tag too long to be kept":    {map[string]string{"ETag": `"` + string(make([]byte, 1000)) + `"`}, ""},
		"nothing":                      {nil, ""},
		"an opening quote and no more": {map[string]string{"ETag": `"`}, ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			h := http.Header{}
			for k, v := range c.header {
				h.Set(k, v)
			}
			require.Equal(t, c.strong, markOf(h).Strong)
		})
	}
}

func TestMarksDiffer(t *testing.T) {
	a := mark{ETag: `"a"`, Modified: day}
	require.False(t, a.differs(a))
	require.False(t, a.differs(mark{}), "what is missing tells nothing")
	require.False(t, mark{}.differs(a))
	require.True(t, a.differs(mark{ETag: `"b"`, Modified: day}))
	require.False(t, a.differs(mark{ETag: `"a"`, Modified: "another"}), "the tag has the last word")
	require.True(t, mark{Modified: day}.differs(mark{Modified: "another"}))
}

func TestContentRange(t *testing.T) {
	good := map[string][3]int64{
		"bytes 0-0/1":       {0, 0, 1},
		"bytes 5-9/10":      {5, 9, 10},
		"bytes 5-9/*":       {5, 9, unknown},
		"bytes 100-199/500": {100, 199, 500},
	}
	for s, want := range good {
		first, last, total, ok := parseContentRange(s)
		require.True(t, ok, s)
		require.Equal(t, want, [3]int64{first, last, total}, s)
	}
	for _, s := range []string{
		"", "bytes", "bytes ", "bytes */10", "bytes 5-9", "bytes 9-5/10", "bytes 5-9/9", "bytes -5-9/10", "bytes 5--9/10", "items 5-9/10",
		"bytes 5-9/-1", "bytes +5-9/10", "bytes 5-9/10/11", "bytes 5-99999999999999999999/*", "bytes 0x5-9/10", "5-9/10", "bytes=5-9/10",
	} {
		_, _, _, ok := parseContentRange(s)
		require.False(t, ok, s)
	}
}

// FuzzJudge: no header of any answer makes judge accept an answer that it must refuse.
func FuzzJudge(f *testing.F) {
	f.Add(206, "bytes 5-9/10", int64(5), int64(5), int64(10), `"a"`, "")
	f.Add(200, "", int64(10), int64(5), int64(-1), `"b"`, "gzip")
	f.Add(416, "bytes */5", int64(0), int64(5), int64(-1), "", "")
	f.Fuzz(func(t *testing.T, code int, contentRange string, length, offset, declared int64, etag, encoding string) {
		if offset < 0 || declared < unknown || declared == 0 || length < unknown {
			return
		}
		w := want{offset: offset, declared: declared, total: unknown, max: 1 << 40, mark: mark{ETag: `"a"`}}
		resp := &http.Response{StatusCode: code, ContentLength: length, Header: http.Header{
			"Content-Range": {contentRange}, "Etag": {etag}, "Content-Encoding": {encoding},
		}}
		o, err := judge(resp, w)
		if err != nil {
			require.NotEmpty(t, err.Error())
			return
		}
		require.Contains(t, []int64{0, offset}, o.offset, "a body that is neither the file nor the rest of it")
		require.True(t, o.end == unknown || o.end >= o.offset)
		require.True(t, o.total == unknown || o.end <= o.total)
		require.True(t, declared == unknown || o.total == unknown || o.total == declared)
		require.LessOrEqual(t, o.total, w.max)
	})
}
