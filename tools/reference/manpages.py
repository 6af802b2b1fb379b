"""Man pages of Doxygen's XML: one for each function of the C headers."""
import os
import re
import xml.etree.ElementTree as Tree

SECTION = '3'
TITLE = 'acre'


def escape(text):
    """Letters that roff would take for its own."""
    return text.replace('\\', '\\e').replace('-', '\\-').replace("'", '\\(aq').replace('`', '\\(ga').replace('^', '\\(ha') \
        .replace('~', '\\(ti').replace('…', '...')


def line_of(text):
    """A line of text, which must not begin like a request."""
    return '\\&' + text if text[:1] in ('.', "'") else text


def squeeze(text):
    return re.sub(r'\s+', ' ', text).strip()


def words(node):
    """What stands in a node as roff, in one line: code bold."""
    out = escape(node.text or '')
    for child in node:
        if child.tag in ('computeroutput', 'bold'):
            out += '\\fB' + words(child) + '\\fP'
        elif child.tag == 'emphasis':
            out += '\\fI' + words(child) + '\\fP'
        elif child.tag == 'sp':
            out += ' '
        elif child.tag == 'linebreak':
            out += ' '
        elif child.tag in ('parameterlist', 'simplesect', 'itemizedlist', 'programlisting', 'verbatim'):
            pass
        else:
            out += words(child)
        out += escape(child.tail or '')
    return out


def listing(node):
    lines = []
    for line in node.findall('codeline'):
        text = ''
        for part in line.iter():
            if part.tag == 'sp':
                text += ' '
            text += part.text or ''
            text += '' if part is line else part.tail or ''
        lines.append(line_of(escape(text)))
    return ['.PP', '.in +4n', '.nf'] + lines + ['.fi', '.in']


def item(node):
    """A status and what it means, or a sentence."""
    text = squeeze(' '.join(words(part) for part in node.findall('para')))
    name = r'(?:ACRE_|\\-E)[A-Z_0-9]+'
    match = re.match(r'(%s(?:(?:, | or )%s)*(?: \([^)]*\)(?=:))?)(?:: (.*)|, (.*))?$' % (name, name), text)
    if not match:
        return ['.TP', '\\(bu', line_of(text)]
    names = re.sub('(%s)' % name, r'\\fB\1\\fP', match.group(1))
    return ['.TP', names, line_of(match.group(2) or match.group(3) or '\\&')]


def blocks(node, skip=()):
    """The paragraphs, lists and listings of a description."""
    out = []
    for para in node.findall('para') if node is not None else []:
        text = squeeze(words(para))
        if text:
            out += ['.PP', line_of(text)]
        for child in para:
            if child.tag == 'programlisting':
                out += listing(child)
            elif child.tag == 'verbatim':
                lines = (child.text or '').split('\n')
                out += ['.PP', '.in +4n', '.nf'] + [line_of(escape(line)) for line in lines] + ['.fi', '.in']
            elif child.tag == 'itemizedlist':
                for entry in child.findall('listitem'):
                    out += item(entry)
            elif child.tag == 'simplesect' and child.get('kind') not in skip:
                out += blocks(child)
    for section in node if node is not None else []:
        if section.tag.startswith('sect'):
            title = section.find('title')
            out += ['.SS ' + escape(''.join(title.itertext()))] if title is not None else []
            out += blocks(section, skip)
    return out


def text_of(node):
    return squeeze(''.join(node.itertext())) if node is not None else ''


def prototype(member):
    """As in the header, a parameter a line where one line would be too long."""
    given = []
    for param in member.findall('param'):
        kind, name = text_of(param.find('type')), text_of(param.find('declname'))
        rest = text_of(param.find('array'))
        hole = '(*)' in kind
        if hole:
            kind, rest = kind.split('(*)')[0] + ' (*', ')' + kind.split('(*)')[1] + rest
        gap = '' if not name or kind.endswith('*') else ' '
        given.append(kind + gap + name + rest)
    result = re.sub(r'^(?:static|inline|extern) +|(?<= )inline ', '', text_of(member.find('type')))
    result = re.sub(r'\b(?:static|inline) ', '', result)
    head = result + ('' if result.endswith('*') else ' ') + member.find('name').text + '('
    tail = text_of(member.find('argsstring'))
    if '...' in tail and not any('...' in one for one in given):
        given.append('...')
    whole = head + (', '.join(given) or 'void') + ');'
    if len(whole) <= 70:
        return [whole]
    return [head] + ['    ' + one + ',' for one in given[:-1]] + ['    ' + given[-1] + ');']


def page(header, member, others, version):
    name = member.find('name').text
    brief, detail = member.find('briefdescription'), member.find('detaileddescription')
    first = squeeze(' '.join(words(para) for para in brief.findall('para')))
    summary = re.sub(r'\\f[BPI]', '', first).rstrip('.')
    out = ['.\\" Made from %s of acre %s.' % (header, version),
           '.TH %s %s "" "acre %s" "%s"' % (name, SECTION, version, TITLE),
           '.SH NAME', '%s \\- %s' % (name, summary[:1].lower() + summary[1:] if summary[1:2].islower() else summary),
           '.SH SYNOPSIS', '.nf', '\\fB#include <%s>\\fP' % header, '.PP']
    out += ['\\fB' + escape(line) + '\\fP' for line in prototype(member)] + ['.fi']
    out += ['.SH DESCRIPTION', line_of(first)]
    out += blocks(detail, skip=('return',))
    described = [entry for kind in detail.iter('parameterlist') if kind.get('kind') == 'param' for entry in kind]
    if described:
        out += ['.SH PARAMETERS']
        for entry in described:
            names = ', '.join(text_of(one) for one in entry.iter('parametername'))
            what = squeeze(' '.join(words(para) for para in entry.find('parameterdescription').findall('para')))
            out += ['.TP', '\\fB' + escape(names) + '\\fP', line_of(what)]
    returned = [node for node in detail.iter('simplesect') if node.get('kind') == 'return']
    if returned:
        out += ['.SH RETURN VALUE']
        for node in returned:
            out += blocks(node)
    return finish(out, others)


def finish(out, others):
    if others:
        out += ['.SH SEE ALSO', '.ad l', '.nh']
        out += ['.BR %s (%s)%s' % (other, SECTION, ',' if other != others[-1] else '') for other in others]
    return '\n'.join(line for i, line in enumerate(out) if not (line == '.PP' and out[i - 1][:3] in ('.SH', '.SS'))) + '\n'


def overview(header, tree, names, version):
    """The page of a header: its conventions and functions."""
    compound = tree.find('compounddef')
    title = header.replace('/', '_').replace('.', '_')
    first = squeeze(' '.join(words(para) for para in compound.find('briefdescription').findall('para')))
    out = ['.\\" Made from %s of acre %s.' % (header, version), '.TH %s %s "" "acre %s" "%s"' % (title, SECTION, version, TITLE),
           '.SH NAME', '%s \\- %s' % (title, first.rstrip('.')), '.SH SYNOPSIS', '\\fB#include <%s>\\fP' % header,
           '.SH DESCRIPTION']
    out += blocks(compound.find('detaileddescription')) or [line_of(first)]
    return title, finish(out, names)


def write_man(xml, target, version):
    folder = os.path.join(target, 'man' + SECTION)
    os.makedirs(folder, exist_ok=True)
    for file in sorted(os.listdir(xml)):
        if not file.endswith('_8h.xml'):
            continue
        tree = Tree.parse(os.path.join(xml, file)).getroot()
        members = {}
        for member in sorted(tree.iter('memberdef'), key=lambda one: int(one.find('location').get('line'))):
            if member.get('kind') == 'function':
                members.setdefault(member.find('name').text, member)
        header = 'acre/' + tree.find('compounddef/compoundname').text
        title, text = overview(header, tree, list(members), version)
        pages = {title: text}
        for name, member in members.items():
            pages[name] = page(header, member, [title] + [one for one in members if one != name], version)
        for name, text in pages.items():
            with open(os.path.join(folder, name + '.' + SECTION), 'w', encoding='utf-8') as out:
                out.write(text)
