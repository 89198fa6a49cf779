"""The jobs; each is *read what is known, make its network calls, think, commit once*, and may run twice.

    poll     FeedState -fetch-> Fetched -parse-> ParsedFeed -identify-> Sighting...       commits entries, seen keys,
                                                                                          validators, next due time
    page     an entry's page -fetch, extract-> text                                       commits the text
    ingest   StoredEntry -extract, normalise-> Article -analyse-> Document
             Document -match-> Match...  -fingerprint-> Fingerprint
             under the ingest lock: -compare-> Novelty -alert-> Obligation...              commits articles, matches,
                                                                                          obligations, deliveries
    deliver  Draft -seal-> Message -claim, send-> Receipt -settle-> Settled               commits the seal before the
                                                                                          send, the outcome after

The order of the work stands here, the decisions in the stages. A job takes ids, and the configuration and rules as they
are when it starts: a reload in between does not reach it.
"""
