"""Ready batchers: single calls in, one bulk call to a database, a service or a model out.

    sqlalchemy   insert, update, upsert, delete and look up rows        batchmill[sqlalchemy]
    predict      scikit-learn models, and anything called like one      batchmill[sklearn]
    dynamodb     get, put and delete items                              batchmill[aws]
    sqs          send messages                                          batchmill[aws]
    embeddings   texts to vectors by an OpenAI-compatible endpoint      batchmill[http]

Each is an AsyncBatcher and takes its options. None is imported before it is asked for, because
each needs a package of its own. What they have in common:

    waves        the same key twice in one batch: as if one by one
"""
