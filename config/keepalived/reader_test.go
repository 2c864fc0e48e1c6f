package keepalived

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"
	"time"
)

// tree makes a file system of pairs of names and texts.
func tree(pairs ...string) fstest.MapFS {
	out := fstest.MapFS{}
	for i := 0; i < len(pairs); i += 2 {
		out[pairs[i]] = &fstest.MapFile{Data: []byte(pairs[i+1])}
	}
	return out
}

// read gives the lines that the parser would get of the file k.conf.
func read(files fs.FS, id string) (lines []string, places []Place, found []Finding, err error) {
	r := &reader{files: files, id: id}
	if err := r.start("k.conf"); err != nil {
		return nil, nil, nil, err
	}
	for {
		l, ok, err := r.next()
		if err != nil || !ok {
			return lines, places, r.found, err
		}
		lines, places = append(lines, l.s), append(places, l.at)
	}
}

func TestLines(t *testing.T) {
	for _, x := range []struct{ name, in, want string }{
		{"comments", "a 1 # b\n! c\nd \"#!\" ! e\nf \\# g\n  \t\n", `a 1|d "#!"|f # g`},
		{"carriage returns", "a\r\nb\r\n\r\n", "a|b"},
		{"no end of line", "a", "a"},
		{"braces on lines of their own", "a\n{\nb\n}\n", "a|{|b|}"},
		{"braces in the line", "a { b } c", "a|{|b|}|c"},
		{"braces without blanks", "a{b}c", "a|{|b|}|c"},
		{"braces in quotes", `a "{b}" {`, `a "{b}"|{`},
		{"conditions", "@one a\n@two b\n@^one c\n@^two d\n", "a|d"},
		{"condition and definition", "@one $P=1\n@two $P=2\npriority $P\n", "priority 1"},
		{"definition with a condition", "$X=@one\n$X a\n$Y=@two\n$Y b\n", "a"},
		{"definition", "$A=x y\nb $A\nb ${A}z\nb $Az\n$A=\nb ${A}z\n", "b x y|b x yz|b $Az|b z"},
		{"not defined", "a $B ${C} $ $1\n", "a $B $|{|C|}|$ $1"}, // keepalived as well finds a brace there
		{"late", "$A=10.2.${B}\n$B=0\n${A}.1\n$B=10\n${A}.1\n", "10.2.0.1|10.2.10.1"},
		{"several lines", "$I= \\\n v $N { \\\n  @one p 1 \\\n  @two p 2 \\\n } \n$N=0\n$I\n$N=1\n$I\n", "v 0|{|p 1|}|v 1|{|p 1|}"},
		{"several lines, an empty one ends it", "$I=a \\\nb \\\n\nc\n$I\n", "c|a|b"},
		{"nested", "$R=r ${V}.${N} \\\nx\n$S=s $V { \\\n$N=1 \\\n$R \\\n$N=2 \\\n$R \\\n}\n$V=7\n$S\n", "s 7|{|r 7.1|x|r 7.2|x|}"},
		{"predefined", "a ${_HASH} b\nc ${_BANG}\nd ${_INSTANCE} ${_PWD}\n", "a|c|d one /"}, // a comment begins with what they stand for: keepalived looks again
		{"quoted hash", "a \"${_HASH}b\"\n", `a "#b"`},
		{"sequence", "~SEQ(S, 0, 2) a $S\n", "a 0|a 1|a 2"},
		{"sequence by steps", "~SEQx(S, 0x90, 0x10, 0xb0) f::${S}:1\n~SEQ(T,3,-1,1) $T\n~SEQ(U,2) $U\n~SEQ(W,-2) $W\n", "f::90:1|f::a0:1|f::b0:1|3|2|1|1|2|-1|-2"},
		{"sequences in one another", "~SEQ(A,1,2) ~SEQ(B,1,2) ${A}.$B\n", "1.1|1.2|2.1|2.2"},
		{"sequence of several lines", "$V=i ${I} { \\\n p ${I} \\\n}\n~SEQ(I,1,2) $V\nend\n", "i 1|{|p 1|}|i 2|{|p 2|}|end"},
		{"sequence in several lines", "$V=v { \\\n~SEQ(I,1,2) 10.${I}.$J \\\n}\n~SEQ(J,5,6) $V\n", "v|{|10.1.5|10.2.5|}|v|{|10.1.6|10.2.6|}"},
		{"sequence to a definition", "$N=2\n~SEQ(S,1,$N) a $S\n", "a 1|a 2"},
		{"list", "~LST(I, 1, x) a $I\n~LST({I, J}, {10,1},{20}) ${I}.${J}\n", "a 1|a x|10.1|20."},
		{"list and sequence", "~LST({I,J},{1,2},{3,4}) ~SEQ(K,5,6) $I $J $K\n", "1 2 5|1 2 6|3 4 5|3 4 6"},
	} {
		got, _, _, err := read(tree("k.conf", x.in), "one")
		if s := strings.Join(got, "|"); err != nil || s != x.want {
			t.Errorf("%s: %v\n got %s\nwant %s", x.name, err, s, x.want)
		}
	}
}

func TestPlaces(t *testing.T) {
	files := tree("k.conf", "a\n$D=b \\\nc\ninclude sub/*.conf\n$D\n", "sub/1.conf", "d\ninclude x\n", "sub/2.conf", "\ne", "sub/x", "f")
	lines, places, found, err := read(files, "")
	var got []string
	for i, l := range lines {
		s := fmt.Sprintf("%s %s", l, places[i])
		for _, v := range places[i].Via {
			s += " < " + v.String()
		}
		got = append(got, s)
	}
	const want = "a k.conf:1|d sub/1.conf:1 < k.conf:4|f sub/x:1 < sub/1.conf:2 < k.conf:4|e sub/2.conf:2 < k.conf:4|b k.conf:5|c k.conf:3 < k.conf:5"
	if s := strings.Join(got, "|"); err != nil || len(found) > 0 || s != want {
		t.Errorf("%v %v\n got %s\nwant %s", err, found, s, want)
	}
}

func TestIncludes(t *testing.T) {
	files := tree("k.conf", "x", "etc/a.conf", "a", "etc/b.conf", "b", "etc/.hidden.conf", "h", "etc/d/c.conf", "c", "etc/run.conf", "r")
	files["etc/run.conf"].Mode = 0o755
	for _, x := range []struct{ in, want, finding string }{
		{"include etc/*.conf", "a|b", "executable"},
		{"include /etc/a.conf", "a", ""},
		{`include "etc/a.conf"`, "a", ""},
		{"include etc/{b,a,d/c}.conf", "b|a|c", ""},
		{"include etc/{,d/}{a,c}.conf", "a|c", ""},
		{"include etc/.h*", "h", ""},
		{"v {\ninclude etc/a.conf\n}", "v|{|a|}", ""},
		{"include none/*", "", "in silence"},
		{"includer none", "", "in silence"},
		{"includea none/*", "", "includea has keepalived complain"},
		{"include etc", "", "is a directory"},
		{"include [", "", "no pattern"},
		{"@^two include etc/a.conf", "a", "before it looks at conditions"},
		{"$F=etc/a.conf\ninclude $F", "a", ""},
		{"includes 1", "includes 1", ""},
	} {
		files["k.conf"] = &fstest.MapFile{Data: []byte(x.in)}
		got, _, found, err := read(files, "one")
		if s := strings.Join(got, "|"); err != nil || s != x.want || (x.finding == "") != (len(found) == 0) || !strings.Contains(fmt.Sprint(found), x.finding) {
			t.Errorf("%s: %v, %s, %v", x.in, err, s, found)
		}
	}
}

// TestMistakesOfLines: what keepalived reads in another way than it looks is named.
func TestMistakesOfLines(t *testing.T) {
	for _, x := range []struct{ in, want string }{
		{"a \"b\nc", "opened and not closed"},
		{"a\x00b", "zero byte"},
		{strings.Repeat("x", 1100), "1100 bytes"},
		{"@one", "nothing follows the condition"},
		{"~SEQ(A) x", "wants a variable, and a number"},
		{"~SEQ(A,1", "not closed"},
		{"~SEQ A", "parenthesis is missing"},
		{"~SEQ(A,1,0,5) x", "never leads to the end"},
		{"~SEQ(A,1,-1,5) x", "never leads to the end"},
		{"~SEQ(A,1,2,3,4) x", "more than three"},
		{"~SEQ(A,one,2) x", "is no number"},
		{"~SEQx(A,-1,2) x", "no negative"},
		{"~SEQ(A,1,99999999999999999999) x", "is no number"},
		{"~LST(A) x", "no values"},
		{"~LST(A,1", "not closed"},
		{"~LST({A,B},{1,2,3}) x", "more values than variables"},
		{"~LST({A},{1} x", "comma is missing"},
		{"~LST(9,1) x", "no name of a variable"},
		{"a ${_RANDOM 3 9}", "another number each time"},
		{"a ${_ENV SECRET}", "environment of the daemon"},
	} {
		_, _, found, err := read(tree("k.conf", x.in), "one")
		if err != nil || len(found) != 1 || !strings.Contains(found[0].String(), x.want) || found[0].Line != 1 || found[0].Do == "" {
			t.Errorf("%.60s: %v, %v; want %s", x.in, err, found, x.want)
		}
	}
}

// TestLimits: what would never end, or fill the memory, is refused with its place, and soon.
func TestLimits(t *testing.T) {
	deep := tree("k.conf", "include 1")
	for i := range maxDepth + 2 {
		deep[fmt.Sprint(i+1)] = &fstest.MapFile{Data: fmt.Appendf(nil, "include %d", i+2)}
	}
	const big = "$V=vrrp_instance i.${A}.${B}.${C} { \\\npriority 1 \\\nvirtual_ipaddress { \\\n10.$A.$B.${C}/24 \\\n} \\\n}\n~SEQ(A,0,7) ~SEQ(B,0,31) ~SEQ(C,1,254) $V\n"
	for _, x := range []struct {
		name  string
		files fstest.MapFS
		want  string
	}{
		{"a file that includes itself", tree("k.conf", "a\ninclude k.conf"), "k.conf:2: k.conf includes itself"},
		{"files that include one another", tree("k.conf", "include b", "b", "\ninclude ./k.conf"), "b:2: k.conf includes itself"},
		{"depth", deep, "more than 32 includes"},
		{"65,024 instances", tree("k.conf", big), "k.conf:"},
		{"a long sequence of nothing", tree("k.conf", "~SEQ(A,1,1000000000)"), "more than 200000 lines"},
		{"sequences in one another", tree("k.conf", "~SEQ(A,1,100000) ~SEQ(B,1,100000) ~SEQ(C,1,100000) x"), "more than 200000 lines"},
		{"a definition of itself", tree("k.conf", "$A=$A\n\nb $A"), "k.conf:3: 256 definitions are replaced"},
		{"a definition that grows", tree("k.conf", "$A=x$A x$A\nb $A"), "k.conf:2: "},
		{"definitions that double", tree("k.conf", doubling(60)), "k.conf:62: "},
		{"lines of itself", tree("k.conf", "$A=a \\\n$A \\\nb\n$A"), "in one another"},
		{"braces", tree("k.conf", "include "+strings.Repeat("{a,b}", 40)), "k.conf:1: the braces stand for more than"},
		{"a condition of itself", tree("k.conf", "$A=@^x $A\n$A"), "k.conf:2: "},
	} {
		began := worked(t)
		_, _, _, err := read(x.files, "one")
		if !errors.Is(err, ErrTooMuch) || !strings.Contains(err.Error(), x.want) || !strings.Contains(err.Error(), "; ") {
			t.Errorf("%s: %v; want %s", x.name, err, x.want)
		}
		if took := worked(t) - began; took > 20*time.Second {
			t.Errorf("%s: it took %v", x.name, took)
		}
	}
}

// doubling makes definitions of which each is twice the one before.
func doubling(n int) string {
	var b strings.Builder
	b.WriteString("$A0=x\n")
	for i := range n {
		fmt.Fprintf(&b, "$A%d=${A%d}${A%d}\n", i+1, i, i)
	}
	fmt.Fprintf(&b, "b $A%d\n", n)
	return b.String()
}

func TestWords(t *testing.T) {
	for _, x := range []struct {
		in, want string
		open     bool
	}{
		{`a  b	c`, "a|b|c", false}, {`a "b c" d`, "a|b c|d", false}, {`a"b c"d`, "a|b c|d", false}, {`a ""`, "a|", false}, {`a "b`, "a", true}, {`a 'b c'`, "a|'b|c'", false},
	} {
		got, open := splitWords(x.in)
		if s := strings.Join(got, "|"); s != x.want || open != x.open {
			t.Errorf("%s: %s %v", x.in, s, open)
		}
	}
	for in, want := range map[string]string{
		`abcd" efg h "mnop`: "abcd efg h mnop", `a "b c" d`: "a|b c|d", `'a b' c\ d`: "a b|c d", `"\"x\"" '\x41\102\t'`: "\"x\"|AB\t", `a\n\cA\E`: "a\n\x01\x1b", `a ""`: "a|",
		`"x`: "!", `x\`: "!", `"a'b"`: "a'b",
	} {
		got, err := shellWords(in)
		s := strings.Join(got, "|")
		if err != nil {
			s = "!"
		}
		if s != want {
			t.Errorf("%s: %q, want %q", in, s, want)
		}
	}
}
