"""Apprise's services that a target may name: those that reach somebody over the network, and nothing else.

Apprise also runs programs, writes to the machine's own desktop or log, and reads files that a URL names. The lists are
those of the version that Veille is pinned to; a test holds them against it.
"""

import re
from urllib.parse import unquote

#: Schemes of services on the network. `https` stands for the addresses that services hand out themselves.
NETWORK = frozenset(
    """
46elks amqp amqps apprise apprises aprs atalk azure bark barks betterstack bluesky brevo bsky bulksms bulkvs
burstsms chanify clickatell clicksend cliq cm d7sms dapnet deltachat deltachats dingtalk discord dot eight00com elks
emby embys enigma2 enigma2s evolution evolutions exotel fcm feishu firehydrant flock flowtriq flowtriqs fluxer
fluxers form forms freemobile gchat github goalert goalerts gorush gorushs gotify gotifys groundmail groupme growl
guilded gupshup hassio hassios httpsms humhub humhubs ifttt ilert incidentio infobip irc ircs jellyfin jellyfins
jira join json jsons kakao kakaotalk kaleyra kavenegar klr kodi kodis kook kudosity kumulos lametric lametrics lark
lauther lfg line mailersend mailgun mailto mailtos mastodon mastodons matrix matrixs misskey misskeys mmost mmosts
mobilemessage mobilemsg mqtt mqtts msg91 msgbird ncloud nclouds nctalk nctalks nexmo nostr notica noticas notifiarr
notifico notificos notifyre ntfy ntfys o365 octopush onebot onebots onesignal opsgenie pagerduty pagertree parsep
parseps pbul pinglet pinglets pingram pjet pjets plivo postmark pover prowl psafer psafers push pushdeer pushdeers
pushed pushme pushplus pushward pushy qq reddit resend revolt ringc rocket rockets rsyslog ryver schan sendgrid
sendpulse serwersms ses session sessions seven sfr signal signalgrid signals signl4 simplepush sinch slack smpp
smpps smsc smseagle smseagles smsmanager smsmgr smstunnel smtp2go sns sogs sparkpost spike splunk spugpush spush
squadcast stackfield strmlabs synology synologys telesign telnyx tgram threema toot toots trigv trigvs tweet twilio
twist twitter viber victorops voipms vonage webex wechat wecom wecombot whapi whatsapp workflow workflows wpush
wxpusher wxteams x xbmc xbmcs xmatters xml xmls xmpp xmpps youlmk zalo zcliq zohocliq zoom zulip
https
""".split()  # noqa: SIM905 - one a line would fill the page
)
#: Schemes that run a program, or speak to this machine's own desktop, log or devices, or always read a file.
LOCAL = frozenset("blink1 dbus gio glib gnome kde macosx qt syslog vapid windows".split())  # noqa: SIM905 - as above
#: Parameters that name a file to read, of any service and of those whose `template` is one.
_FILES = frozenset({"keyfile", "subfile", "pgp", "pgppub", "pgpprv"})
_TEMPLATED = frozenset({"discord", "slack", "tgram", "workflow", "workflows", "https"})


def scheme(url: str) -> str:
    """The scheme of a URL, in small letters."""
    return url.strip().partition("://")[0].lower()


def file_parameter(url: str) -> str:
    """The first parameter that names a file, or nothing."""
    files = _FILES | {"template"} if scheme(url) in _TEMPLATED else _FILES
    names = (unquote(name).strip().lower() for name in re.findall(r"[?&;]([^=&;#]+)", url))
    return next((name for name in names if name in files), "")


def names_several(url: str) -> bool:
    """Tells whether a second URL follows: a target is one place, so that each has what it is owed."""
    return re.search(r"[\s,;]+[A-Za-z0-9]{2,}://", url.strip()) is not None
